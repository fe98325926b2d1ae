/** A piece of the page, and how to let go of what it listens to. */
export interface View {
  element: HTMLElement;
  dispose: () => void;
}

export const disposeAll = (disposers: (() => void)[]) => (): void => disposers.forEach((dispose) => dispose());
