import { useSyncExternalStore } from 'react';

/** State that calls its listeners at each change. */
export class Observable {
  private readonly listeners = new Set<() => void>();
  private changes = 0;

  /** Call `listener` at each change; returns a function that stops it. */
  readonly observe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly version = (): number => this.changes;

  protected readonly changed = (): void => {
    this.changes += 1;
    this.listeners.forEach((listener) => listener());
  };
}

/** Render the component again whenever `source` changes. */
export function useChanges(source: Observable): void {
  useSyncExternalStore(source.observe, source.version);
}
