import { useEffect, useState, useSyncExternalStore } from 'react';

/** Changes that come faster than this are notified together. */
const TOGETHER_MS = 40;

/** State that calls its listeners at each change. */
export class Observable {
  private readonly listeners = new Set<() => void>();
  private changes = 0;
  /** Runs for a moment after listeners were notified by `changedSoon`. */
  private quiet: ReturnType<typeof setTimeout> | undefined;
  private isBehind = false;

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

  /** Notify listeners now, or together with what comes next if they were notified just before. */
  protected changedSoon(): void {
    if (this.quiet !== undefined) return void (this.isBehind = true);
    this.changed();
    this.quiet = setTimeout(() => {
      this.quiet = undefined;
      if (!this.isBehind) return;
      this.isBehind = false;
      this.changedSoon();
    }, TOGETHER_MS);
  }
}

/** Render the component again whenever `source` changes. */
export function useChanges(source: Observable): void {
  useSyncExternalStore(source.observe, source.version);
}

/** Return what `read` reads of `source`; the component is rendered again only when that is another value. */
export function useValue<T extends string | number | boolean | null>(source: Observable, read: () => T): T {
  return useSyncExternalStore(source.observe, read);
}

/** True once `read` has been true of `source` for `ms`, until it is false. */
export function useLasting(source: Observable, read: () => boolean, ms: number): boolean {
  const isTrue = useValue(source, read);
  const [since, setSince] = useState(false);
  useEffect(() => {
    if (!isTrue) return;
    const timer = setTimeout(() => setSince(true), ms);
    return () => {
      clearTimeout(timer);
      setSince(false);
    };
  }, [isTrue, ms]);
  return isTrue && since;
}
