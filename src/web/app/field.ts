/** What an event's own field holds now. */
export function fieldValue(event: Event): string {
  const field = event.currentTarget;
  const isField =
    field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement;
  return isField ? field.value : "";
}
