import { ElementsBinding } from '@isshoni/canvas-binding';
import { CaptureUpdateAction } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { Observable } from '../observable.js';
import type { Session } from '../session.js';
import { ExcalidrawEditor } from './excalidraw-editor.js';
import { PicturesOnCanvas } from './pictures-on-canvas.js';
import { Press } from './press.js';

/** The colour of the canvas, the same for all. */
export const PAPER = '#fdfaf3';
/** Changes go out, and come in, at most this often. */
const TICK_MS = 40;

/** One Excalidraw, held together with the session's document; changes when there is more to see, or to undo. */
export class SharedCanvas extends Observable {
  private readonly binding: ElementsBinding;
  private readonly pictures: PicturesOnCanvas;
  private readonly presses = new Press(() => this.binding.push());
  private ticked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** True from the first sync until the elements that it brought are in sight. */
  private mayScroll = false;
  /** True once the user has drawn or scrolled: from then on the view is theirs. */
  private viewIsTaken = false;
  private stopped = false;
  private noticed = '';

  constructor(
    readonly api: ExcalidrawImperativeAPI,
    private readonly session: Session,
  ) {
    super();
    this.binding = new ElementsBinding(session.client.elements, new ExcalidrawEditor(api, this.presses), this.schedule);
    this.pictures = new PicturesOnCanvas(api, session.pictures);
  }

  /** Show what the document holds; from now on each hears the other. */
  start(): void {
    this.pictures.start();
    this.presses.watch();
    addEventListener('beforeunload', this.flush, { capture: true });
    this.schedule();
    void this.session.firstSync.then(() => {
      this.mayScroll = true;
      this.schedule();
    });
  }

  /** Leave the view where it is from now on, whatever arrives. */
  takeView(): void {
    this.viewIsTaken = true;
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
    this.stopped = true;
    this.flush();
    removeEventListener('beforeunload', this.flush, { capture: true });
    this.pictures.stop();
    this.presses.stop();
    this.binding.destroy();
  }

  /** Note that the person changed something, or only that the editor was drawn again. */
  takeChange(): void {
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
    // It would drop what it is shown, as it begins with an empty scene of its own.
    if (this.api.getAppState().isLoading) return this.schedule();
    this.keepPaper();
    this.pictures.upload();
    this.binding.pull();
    this.pictures.fetchMissing();
    this.showWhatIsThere();
    this.notice();
  };

  /**
   * Scroll to the elements of the first sync, which may lie anywhere.
   *
   * Never later, and not once the user has begun: a stroke during which the view moves is bent.
   */
  private showWhatIsThere(): void {
    const elements = this.mayScroll && !this.viewIsTaken ? this.api.getSceneElements() : [];
    this.mayScroll = false;
    if (elements.length > 0) this.api.scrollToContent(elements, { fitToViewport: true, viewportZoomFactor: 0.8, maxZoom: 1 });
  }

  /** Keep the paper as all see it: a file brings a colour of its own, and a reset takes Excalidraw's. */
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
