const MODIFIERS = new Set(['Shift', 'Control', 'Alt', 'Meta', 'AltGraph', 'CapsLock']);

/** Tracks the current pointer press or held key: all changes during one are one undo step. */
export class Press {
  private readonly pointers = new Set<number>();
  private key = '';
  private name: string | null = null;
  private count = 0;
  private readonly stops = new AbortController();

  /** `begins` is called before each press, so that earlier changes can be stored separately. */
  constructor(private readonly begins: () => void) {}

  /** A name for the current press; null when there is none. */
  get current(): string | null {
    return this.name;
  }

  watch(): void {
    const options = { capture: true, passive: true, signal: this.stops.signal };
    addEventListener('pointerdown', (event) => this.pointerDown(event), options);
    addEventListener('pointermove', ({ pointerId, buttons }) => buttons === 0 && this.pointerUp(pointerId), options);
    addEventListener('pointerup', ({ pointerId }) => this.pointerUp(pointerId), options);
    addEventListener('pointercancel', ({ pointerId }) => this.pointerUp(pointerId), options);
    addEventListener('keydown', (event) => this.keyDown(event), options);
    addEventListener('keyup', (event) => this.keyUp(event), options);
    // Releasing a key or a button outside the page is not reported.
    for (const name of ['blur', 'dragenter', 'drop'] as const) addEventListener(name, () => this.end(), options);
  }

  stop(): void {
    this.stops.abort();
  }

  private pointerDown({ pointerId }: PointerEvent): void {
    if (this.pointers.size === 0) this.begin();
    this.pointers.add(pointerId);
    this.key = '';
  }

  private pointerUp(pointerId: number): void {
    if (this.pointers.delete(pointerId) && this.pointers.size === 0) this.end();
  }

  private keyDown({ code, key, repeat, target }: KeyboardEvent): void {
    if (repeat || MODIFIERS.has(key) || isField(target) || this.pointers.size > 0) return;
    this.begin();
    this.key = code;
  }

  private keyUp({ code, key }: KeyboardEvent): void {
    // While ⌘ is held, the release of another key is not reported.
    if (this.key !== '' && (code === this.key || key === 'Meta')) this.end();
  }

  private begin(): void {
    this.begins();
    this.count += 1;
    this.name = `press-${this.count}`;
  }

  private end(): void {
    this.pointers.clear();
    this.key = '';
    this.name = null;
  }
}

/** True for a text field or dialog: keys typed there are not presses on the canvas. */
export function isField(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('textarea, input, dialog') !== null;
}
