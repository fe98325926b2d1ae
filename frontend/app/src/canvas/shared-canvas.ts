import { ElementsBinding } from '@isshoni/canvas-binding';
import type { BinaryFiles, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { Observable } from '../observable.js';
import type { Session } from '../session.js';
import { ExcalidrawEditor } from './excalidraw-editor.js';
import { PicturesOnCanvas } from './pictures-on-canvas.js';

/** Changes go out, and come in, at most this often. */
const TICK_MS = 40;

/** One Excalidraw, held together with the session's document; changes when there is more to see, or to undo. */
export class SharedCanvas extends Observable {
  private readonly binding: ElementsBinding;
  private readonly pictures: PicturesOnCanvas;
  private ticked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private scrolled = false;
  private noticed = '';

  constructor(
    readonly api: ExcalidrawImperativeAPI,
    session: Session,
  ) {
    super();
    this.binding = new ElementsBinding(session.client.elements, new ExcalidrawEditor(api), this.schedule);
    this.pictures = new PicturesOnCanvas(api, session.pictures);
  }

  /** Show what the document holds; from now on each hears the other. */
  start(): void {
    this.pictures.start();
    addEventListener('beforeunload', this.flush, { capture: true });
    this.schedule();
  }

  get canUndo(): boolean {
    return this.binding.canUndo;
  }

  /** How many elements are on the canvas. */
  get count(): number {
    return this.api.getSceneElements().length;
  }

  get canRedo(): boolean {
    return this.binding.canRedo;
  }

  /** Let go of the document; what is drawn is written first. */
  stop(): void {
    this.flush();
    removeEventListener('beforeunload', this.flush, { capture: true });
    this.pictures.stop();
    this.binding.destroy();
  }

  /** Note that the person changed something, or only that the editor was drawn again. */
  takeChange(files: BinaryFiles): void {
    this.pictures.upload(files);
    this.schedule();
  }

  /** Say that what comes now is another gesture. */
  beginStep(): void {
    this.binding.beginStep();
  }

  undo(): void {
    this.binding.undo();
    this.notice();
  }

  redo(): void {
    this.binding.redo();
    this.notice();
  }

  private readonly schedule = (): void => {
    const wait = Math.max(0, this.ticked + TICK_MS - performance.now());
    this.timer ??= setTimeout(this.flush, wait);
  };

  private readonly flush = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.ticked = performance.now();
    this.binding.pull();
    this.pictures.fetchMissing();
    this.showWhatIsThere();
    this.notice();
  };

  /** Bring the first that is drawn into sight: it may lie anywhere. */
  private showWhatIsThere(): void {
    if (this.scrolled || this.api.getSceneElements().length === 0) return;
    this.scrolled = true;
    this.api.scrollToContent(this.api.getSceneElements(), { fitToViewport: true, viewportZoomFactor: 0.8, maxZoom: 1 });
  }

  private notice(): void {
    const notice = `${this.count} ${this.canUndo} ${this.canRedo}`;
    if (notice === this.noticed) return;
    this.noticed = notice;
    this.changed();
  }
}
