/** The key code of every key that an input method handles itself. */
const TAKEN_BY_INPUT_METHOD = 229;

/**
 * True for a key used by an input method, such as the Enter that ends a Korean syllable.
 *
 * Safari ends the composition before it reports the key: then `isComposing` is false, and the
 * code alone tells.
 */
export function isOfComposition(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === TAKEN_BY_INPUT_METHOD;
}

/** Do not submit a form at the Enter that ends a syllable in one of its fields. */
export function keepUnsent(event: { key: string; nativeEvent: KeyboardEvent; preventDefault: () => void }): void {
  if (event.key === 'Enter' && isOfComposition(event.nativeEvent)) event.preventDefault();
}
