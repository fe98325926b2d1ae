import { ElementsBinding } from '@isshoni/canvas-binding';
import type { BinaryFiles, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { Observable } from '../observable.js';
import type { Session } from '../session.js';
import { ExcalidrawEditor } from './excalidraw-editor.js';
import { PicturesOnCanvas } from './pictures-on-canvas.js';

/** Changes go out, and come in, at most this often. */
const TICK_MS = 40;

/** One Excalidraw, held together with the session's document; changes when there is more to undo. */
export class SharedCanvas extends Observable {
  private readonly binding: ElementsBinding;
  private readonly pictures: PicturesOnCanvas;
  private ticked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private scrolled = false;
  private undoable = '';

  constructor(
    readonly api: ExcalidrawImperativeAPI,
    session: Session,
  ) {
    super();
    this.binding = new ElementsBinding(session.client.elements, new ExcalidrawEditor(api), this.schedule);
    this.pictures = new PicturesOnCanvas(api, session.pictures);
    addEventListener('beforeunload', this.flush, { capture: true });
    this.schedule();
  }

  get canUndo(): boolean {
    return this.binding.canUndo;
  }

  get canRedo(): boolean {
    return this.binding.canRedo;
  }

  /** Let go of the document; what is drawn is written first. */
  destroy(): void {
    clearTimeout(this.timer);
    this.flush();
    removeEventListener('beforeunload', this.flush, { capture: true });
    this.pictures.destroy();
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
    this.noticeUndoable();
  }

  redo(): void {
    this.binding.redo();
    this.noticeUndoable();
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
    this.noticeUndoable();
  };

  /** Bring the first that is drawn into sight: it may lie anywhere. */
  private showWhatIsThere(): void {
    if (this.scrolled || this.api.getSceneElements().length === 0) return;
    this.scrolled = true;
    this.api.scrollToContent(this.api.getSceneElements(), { fitToViewport: true, viewportZoomFactor: 0.8, maxZoom: 1 });
  }

  private noticeUndoable(): void {
    const undoable = `${this.canUndo} ${this.canRedo}`;
    if (undoable === this.undoable) return;
    this.undoable = undoable;
    this.changed();
  }
}
