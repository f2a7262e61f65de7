import { html } from "htm/preact";
import { Component, type ComponentChildren, type VNode } from "preact";

interface Props {
  /** Another one is another try. */
  readonly of: string;
  readonly children?: ComponentChildren;
}

interface State {
  readonly failure: string | null;
}

/** Keeps a fault in one view from taking the page with it. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { failure: null };

  static override getDerivedStateFromError(thrown: unknown): State {
    return { failure: thrown instanceof Error ? thrown.message : String(thrown) };
  }

  override componentDidUpdate(before: Props): void {
    if (before.of !== this.props.of && this.state.failure !== null) this.setState({ failure: null });
  }

  override render(): VNode | ComponentChildren {
    if (this.state.failure === null) return this.props.children;
    return html`<div class="error" role="alert">
      <p>This part of the page failed: ${this.state.failure}</p>
      <button type="button" onClick=${() => this.setState({ failure: null })}>Try again</button>
    </div>`;
  }
}
