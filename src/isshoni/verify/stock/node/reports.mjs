/** Writes what happens to stdout: lines of JSON, several events each. Times are of the monotonic clock. */
import { clearTimeout, setTimeout } from 'node:timers';

const FLUSH_MS = 20;
const MAX_FRAME = 4096; // of a longer frame only the ids are reported
const MAX_SAMPLES = 20;

export const now = () => Number(process.hrtime.bigint()) / 1e9;

let events = [];
let timer = null;

export function flush() {
  if (timer) clearTimeout(timer);
  timer = null;
  if (events.length) process.stdout.write(`${JSON.stringify(events)}\n`);
  events = [];
}

export function report(...event) {
  events.push(event);
  timer ??= setTimeout(flush, FLUSH_MS);
}

/** Returns a function that reports the frames of one client. */
export function frameReporter(run, number) {
  const ids = new RegExp(`iv-${run}-\\d+-\\d+`, 'gi');
  let samples = 0;
  return (frame) => {
    const found = frame.match(ids);
    if (!found && (samples += 1) > MAX_SAMPLES) return;
    const text = frame.length <= MAX_FRAME ? frame : (found?.join(' ') ?? frame.slice(0, MAX_FRAME));
    report('frame', number, now(), text);
  };
}
