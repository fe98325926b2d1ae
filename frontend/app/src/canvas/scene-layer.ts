import { ScenePicture, type Placement } from './scene-picture.js';
import { Redrawing } from './scene-redrawing.js';
import { dependsOnMore, isEmbedded, isRough, isSameView, looksOf, type Drawing, type Element, type Scene } from './scene.js';

/** Fewer elements are drawn as quickly as a picture of them. */
const LEAST = 300;
/** Texts are drawn again for some time after a font was loaded. */
const FONT_MS = 1_000;
/** The view rests when it has not moved for this time. */
const REST_MS = 120;

interface Drawn {
  element: Element;
  version: number;
  dependsOnMore: boolean;
}

/**
 * Keeps a picture of the lowest elements of the canvas, which others draw above.
 *
 * The editor draws all elements in view at each change, although a change is mostly one stroke on top,
 * or the view is moved. Elements at the bottom that stayed the same are drawn as one picture. It ends
 * at the first element whose looks depend on more than itself. While the view moves, the picture is
 * shifted or scaled, and only what comes into view is drawn; when the view rests, all is drawn on another
 * picture, in parts, which then replaces the first.
 */
export class SceneLayer {
  private looks: readonly unknown[] = [];
  /** What was drawn last, lowest first. */
  private last: Drawn[] = [];
  private latest: Drawing | null = null;
  /** Has no elements while there is none to use. */
  private picture = new ScenePicture();
  private spare = new ScenePicture();
  private readonly redrawing = new Redrawing((picture) => this.replace(picture));
  private timer: ReturnType<typeof setTimeout> | undefined;
  private restsAt = 0;
  /** True during the drawing that a redrawing begins with. */
  private begins = false;
  private fontsAt = -FONT_MS;

  constructor() {
    document.fonts.addEventListener('loadingdone', () => {
      this.fontsAt = performance.now();
      this.drop();
    });
  }

  /** Call `draw` for each element in view that is not in the picture, after the picture itself was drawn. */
  readonly draw = (visible: readonly Element[], scene: Scene, draw: (element: Element) => void): void => {
    if (scene.renderConfig.isExporting) return visible.forEach(draw);
    const elements = [...scene.elementsMap.values()].filter((element) => !isEmbedded(element));
    const drawing = { visible, elements, scene, draw };
    const same = this.findSame(drawing);
    this.remember(drawing, same);
    if (visible.length < LEAST) {
      this.drop();
      return visible.forEach(draw);
    }
    if (same < this.redrawing.count) this.redrawing.stop();
    if (this.begins && same >= LEAST) this.redrawing.begin(this.spare, drawing, same);
    const placement = this.picture.count > 0 && same >= this.picture.count ? this.picture.placeOn(scene) : null;
    if (placement !== null) this.drawAround(placement, drawing);
    else if (this.begins && this.picture.count === 0) this.picture.show(scene);
    else this.drawAll(drawing, same);
    this.planRedrawing(scene, same);
  };

  /** Draw the picture where it is in the view now, and the elements above it. */
  private drawAround(placement: Placement, drawing: Drawing): void {
    const [below, above] = this.split(drawing, this.picture.count);
    if (placement.left === 0 && placement.top === 0 && placement.factor === 1) this.picture.show(drawing.scene);
    else this.picture.move(placement, drawing, below);
    above.forEach(drawing.draw);
  }

  private drawAll(drawing: Drawing, same: number): void {
    const kept = same >= LEAST && this.mayKeep() ? same : 0;
    const [below, above] = this.split(drawing, kept);
    below.forEach(drawing.draw);
    this.picture.count = 0;
    if (kept > 0) this.picture.copy(drawing.scene, kept);
    above.forEach(drawing.draw);
  }

  /** Return those in view of the `count` lowest elements, and the others. */
  private split({ visible, elements }: Drawing, count: number): [below: Element[], above: Element[]] {
    const higher = new Set(elements.slice(count));
    let at = visible.length;
    while (at > 0 && higher.has(visible[at - 1]!)) at -= 1;
    return [visible.slice(0, at), visible.slice(at)];
  }

  /** Return how many of the lowest elements look as they were drawn last, wherever they were. */
  private findSame({ elements, scene }: Drawing): number {
    const looks = looksOf(scene);
    const isSame = looks.every((part, at) => part === this.looks[at]);
    const hasMoved = !isSame || !isSameView(scene, this.latest?.scene) || isRough(scene);
    this.looks = looks;
    if (hasMoved) {
      this.redrawing.stop();
      this.restsAt = performance.now() + REST_MS;
    }
    if (!isSame) return 0;
    const end = elements.findIndex((element, at) => {
      const drawn = this.last[at];
      return drawn?.element !== element || drawn.version !== element.version || drawn.dependsOnMore;
    });
    return end < 0 ? elements.length : end;
  }

  /** Remember what is drawn now; the `same` lowest elements are remembered as they are. */
  private remember(drawing: Drawing, same: number): void {
    const { elements } = drawing;
    this.latest = drawing;
    for (let at = same; at < elements.length; at += 1) {
      const element = elements[at]!;
      const drawn = this.last[at];
      if (drawn?.element === element && drawn.version === element.version) continue;
      this.last[at] = { element, version: element.version, dependsOnMore: dependsOnMore(element) };
    }
    this.last.length = elements.length;
  }

  /** Draw another picture once the view rests, if this one is not what the editor would draw. */
  private planRedrawing(scene: Scene, same: number): void {
    if (this.begins || this.redrawing.count > 0) return;
    const isGood = this.picture.count > 0 && this.picture.isAt(scene) && same - this.picture.count < LEAST;
    if (!isGood) this.timer ??= setTimeout(this.redraw, this.untilRest());
  }

  private readonly redraw = (): void => {
    this.timer = undefined;
    const drawing = this.latest;
    if (!drawing?.scene.canvas.isConnected) return;
    if (this.untilRest() > 0 || !this.mayKeep() || isRough(drawing.scene)) {
      this.timer = setTimeout(this.redraw, Math.max(this.untilRest(), REST_MS));
      return;
    }
    const end = drawing.elements.findIndex(dependsOnMore);
    if (end >= 0 && end < LEAST) return;
    this.begins = true;
    // The editor clears the canvas, to draw what lies below all elements: then this goes back on it.
    if (this.picture.count === 0) this.picture.copy(drawing.scene, 0);
    drawing.scene.redraw();
    this.begins = false;
  };

  private untilRest(): number {
    return Math.max(0, Math.max(this.restsAt, this.fontsAt + FONT_MS) - performance.now());
  }

  private replace(picture: ScenePicture): void {
    this.spare = this.picture;
    this.picture = picture;
    this.latest?.scene.redraw();
  }

  private drop(): void {
    this.picture.count = 0;
    this.redrawing.stop();
  }

  private mayKeep(): boolean {
    return document.fonts.status === 'loaded' && performance.now() - this.fontsAt > FONT_MS;
  }
}

