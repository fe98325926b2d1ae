/** Chunks of the build that are this project's code; the others are libraries: Excalidraw, React, Yjs. */
const OURS = /\/(index|canvas|export|scene)-[^/]*\.js$/;
const MAIN = 'CrRendererMain';
const DRAWING = /^(VizCompositorThread|Compositor|CompositorTileWorker.*|ThreadPoolForegroundWorker)$/;

/**
 * Return where the processor time of a frame went, in milliseconds: the mean over all frames.
 *
 * `profile` is of the page's main thread, `events` are those of a trace with `toplevel`. The profile gives the
 * parts of the main thread's time: our code, libraries, garbage collection; `browser` is what the browser did
 * there itself (style, layout, painting, and what the benchmark asks for). `drawing` is the time of the
 * threads that put a frame on the screen.
 */
export function breakdown(profile, events, frames) {
  const parts = shares(profile);
  const times = threadTimes(events);
  const of = (ms) => Number((ms / Math.max(1, frames)).toFixed(2));
  const main = [...times].filter(([name]) => name === MAIN).reduce((sum, [, ms]) => sum + ms, 0);
  const drawing = [...times].filter(([name]) => DRAWING.test(name)).reduce((sum, [, ms]) => sum + ms, 0);
  const [ours, libraries, gc] = ['ours', 'libraries', 'gc'].map((part) => of(main * (parts[part] ?? 0)));
  return { ours, libraries, gc, browser: of(main * (parts.browser ?? 0)), drawing: of(drawing) };
}

/** Return the share of each part in what the main thread did while it was not idle. */
function shares({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const sums = {};
  let all = 0;
  samples.forEach((id, at) => {
    const part = partOf(id, byId, parents);
    if (part === 'idle') return;
    sums[part] = (sums[part] ?? 0) + timeDeltas[at];
    all += timeDeltas[at];
  });
  return Object.fromEntries(Object.entries(sums).map(([part, sum]) => [part, sum / all]));
}

/** A function of the browser belongs to the code that called it. */
function partOf(id, byId, parents) {
  const { functionName } = byId.get(id).callFrame;
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'gc';
  for (let at = id; at !== undefined; at = parents.get(at)) {
    const { url } = byId.get(at).callFrame;
    if (url.startsWith('http')) return OURS.test(url) ? 'ours' : 'libraries';
  }
  return 'browser';
}

/** Return the processor time of the outermost tasks of each thread, in milliseconds, by the thread's name. */
function threadTimes(events) {
  const names = new Map(events.filter(({ name }) => name === 'thread_name').map((event) => [`${event.pid}/${event.tid}`, event.args.name]));
  const times = new Map();
  for (const { ph, name, pid, tid, tdur = 0 } of events) {
    if (ph !== 'X' || !/^(ThreadControllerImpl::RunTask|ThreadPool_RunTask)$/.test(name)) continue;
    const thread = names.get(`${pid}/${tid}`) ?? '';
    times.set(thread, (times.get(thread) ?? 0) + tdur / 1000);
  }
  return times;
}
