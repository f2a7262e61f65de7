/** What a server answered, as every implementation of `fetch` has it. */
export interface HttpResponse extends Pick<Response, "ok" | "status" | "statusText" | "headers" | "url" | "json"> {
  readonly body: HttpBody | null;
}

export interface HttpBody {
  getReader(): HttpBodyReader;
  cancel(): Promise<void>;
}

export interface HttpBodyReader {
  read(): Promise<
    { readonly done: false; readonly value: Uint8Array } | { readonly done: true; readonly value?: unknown }
  >;
  cancel(): Promise<void>;
}
