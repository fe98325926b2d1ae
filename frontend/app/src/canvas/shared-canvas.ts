import { ElementsBinding } from '@isshoni/canvas-binding';
import { CaptureUpdateAction } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { Observable } from '../observable.js';
import type { Session } from '../session.js';
import { ExcalidrawEditor } from './excalidraw-editor.js';
import { PicturesOnCanvas } from './pictures-on-canvas.js';
import { Press } from './press.js';

/** The background colour, the same for all users. */
export const PAPER = '#fdfaf3';
/** Time between two syncs with the document. */
const TICK_MS = 40;

/** Keeps one Excalidraw and the session's document in sync; notifies when count, undo or redo change. */
export class SharedCanvas extends Observable {
  private readonly binding: ElementsBinding;
  private readonly pictures: PicturesOnCanvas;
  private readonly presses = new Press(() => this.binding.push());
  private ticked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** True from the first sync until the view has been scrolled to its elements. */
  private mayScroll = false;
  /** True from the first sync until the images of an earlier page have been restored. */
  private isSynced = false;
  /** True once the user has drawn or scrolled: from then on the view is not moved. */
  private viewIsTaken = false;
  private stopped = false;
  private stopObserving: () => void = () => undefined;
  private noticed = '';

  constructor(
    readonly api: ExcalidrawImperativeAPI,
    private readonly session: Session,
  ) {
    super();
    this.binding = new ElementsBinding(session.client.elements, new ExcalidrawEditor(api, this.presses), this.schedule);
    this.pictures = new PicturesOnCanvas(api, session.pictures, session.keptPictures, session.arriving);
  }

  /** Show the document's content, and begin to sync. */
  start(): void {
    this.pictures.start();
    this.stopObserving = this.session.health.saving.observe(this.forgetPictures);
    this.presses.watch();
    addEventListener('beforeunload', this.flush, { capture: true });
    this.schedule();
    void this.session.firstSync.then(() => {
      this.mayScroll = true;
      this.isSynced = true;
      this.schedule();
    });
  }

  /** Do not scroll the view from now on. */
  takeView(): void {
    this.viewIsTaken = true;
  }

  get canUndo(): boolean {
    return this.binding.canUndo;
  }

  /** The number of elements on the canvas. */
  get count(): number {
    return this.api.getSceneElements().length;
  }

  get canRedo(): boolean {
    return this.binding.canRedo;
  }

  /** Write what is drawn to the document, and stop syncing. */
  stop(): void {
    this.stopped = true;
    this.flush();
    removeEventListener('beforeunload', this.flush, { capture: true });
    this.pictures.stop();
    this.stopObserving();
    this.presses.stop();
    this.binding.destroy();
  }

  /** Sync soon: the user may have changed something. */
  scheduleSync(): void {
    this.schedule();
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
    if (this.stopped) return;
    const wait = Math.max(0, this.ticked + TICK_MS - performance.now());
    this.timer ??= setTimeout(this.flush, wait);
  };

  private readonly flush = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.ticked = performance.now();
    // While it loads, Excalidraw replaces what it is given by its initial empty scene.
    if (this.api.getAppState().isLoading) return this.schedule();
    this.keepPaper();
    this.restorePictures();
    this.pictures.upload();
    this.binding.pull();
    this.pictures.notePushed();
    this.forgetPictures();
    this.pictures.fetchMissing();
    this.showWhatIsThere();
    this.notice();
  };

  /**
   * Scroll to the elements of the first sync, which may lie anywhere.
   *
   * Not later, and not after the user has begun to draw: a stroke is bent if the view moves.
   */
  private showWhatIsThere(): void {
    const elements = this.mayScroll && !this.viewIsTaken ? this.api.getSceneElements() : [];
    this.mayScroll = false;
    if (elements.length > 0) this.api.scrollToContent(elements, { fitToViewport: true, viewportZoomFactor: 0.8, maxZoom: 1 });
  }

  /** Once, after the first sync: before it, it is not known which images the session has. */
  private restorePictures(): void {
    if (!this.isSynced) return;
    this.isSynced = false;
    if (!this.session.health.readsOnly) void this.pictures.restore();
  }

  private readonly forgetPictures = (): void => {
    if (!this.session.client.unsaved.canvas) this.pictures.noteSaved();
  };

  /** Restore the background colour: an opened file and a reset change it. */
  private keepPaper(): void {
    if (this.api.getAppState().viewBackgroundColor === PAPER) return;
    this.api.updateScene({ appState: { viewBackgroundColor: PAPER }, captureUpdate: CaptureUpdateAction.NEVER });
  }

  private notice(): void {
    const notice = `${this.count} ${this.canUndo} ${this.canRedo}`;
    if (notice === this.noticed) return;
    this.noticed = notice;
    this.changed();
  }
}
