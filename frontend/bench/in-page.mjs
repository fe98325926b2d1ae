/** Functions that run inside the page: each is sent there as text, so none may refer to another. */
/* global document, performance, requestAnimationFrame, PointerEvent */

/** Record the time between frames, until `endFrames`. */
export function beginFrames() {
  const frames = [];
  const loop = (at) => {
    frames.push(at);
    globalThis.frameLoop = requestAnimationFrame(loop);
  };
  globalThis.frameTimes = frames;
  globalThis.frameLoop = requestAnimationFrame(loop);
}

export function endFrames() {
  globalThis.cancelAnimationFrame(globalThis.frameLoop);
  const times = globalThis.frameTimes;
  const deltas = times.slice(1).map((at, index) => at - times[index]).sort((one, other) => one - other);
  const part = (share) => Number(deltas[Math.min(deltas.length - 1, Math.floor(deltas.length * share))].toFixed(1));
  return { frames: deltas.length, p50: part(0.5), p99: part(0.99), max: part(1) };
}

/** Draw with the pen, a point a frame, for `ms`; a new stroke each second. */
export async function drawWave(ms) {
  const canvas = document.querySelector('canvas.interactive');
  const send = (type, x, y, buttons) =>
    canvas.dispatchEvent(
      new PointerEvent(type, { clientX: x, clientY: y, pointerId: 1, button: 0, buttons, bubbles: true, cancelable: true, isPrimary: true, pointerType: 'mouse' }),
    );
  const end = performance.now() + ms;
  const row = 200 + Math.random() * 300;
  for (let step = 0; performance.now() < end; step += 1) {
    const [x, y] = [300 + ((step * 7) % 420), row + 40 * Math.sin(step / 5)];
    if (step % 60 === 0) {
      document.querySelector('[data-testid="toolbar-freedraw"]').click();
      send('pointermove', x, y, 0);
      send('pointerdown', x, y, 1);
    } else if (step % 60 === 59) send('pointerup', x, y, 0);
    else send('pointermove', x, y, 1);
    await new Promise(requestAnimationFrame);
  }
  send('pointerup', 500, row, 0);
}

/** From the first frame on, try to draw; note when the document has a stroke. */
export function drawUntilStored() {
  let step = 0;
  const send = (canvas, type, buttons) =>
    canvas.dispatchEvent(
      new PointerEvent(type, {
        clientX: 400 + 9 * (step % 20), clientY: 300 + 5 * (step % 20), pointerId: 1, button: 0, buttons,
        bubbles: true, cancelable: true, isPrimary: true, pointerType: 'mouse',
      }),
    );
  const loop = () => {
    const canvas = document.querySelector('canvas.interactive');
    if (globalThis.isshoni?.elements.size > 0) {
      globalThis.firstStroke = performance.now();
      if (canvas) send(canvas, 'pointerup', 0);
      return;
    }
    if (canvas) {
      if (step % 5 === 0) send(canvas, 'pointerdown', 1);
      else send(canvas, step % 5 === 4 ? 'pointerup' : 'pointermove', step % 5 === 4 ? 0 : 1);
      step += 1;
    }
    requestAnimationFrame(loop);
  };
  if (globalThis.document) requestAnimationFrame(loop);
}
