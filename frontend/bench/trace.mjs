const SHORT_MS = 1;

/**
 * Return the processor time of the tasks of the pages' main threads, in milliseconds.
 *
 * A busy machine makes frames late; the time that a task itself needs stays about the same.
 */
export function taskTimes(events) {
  const isMain = (event) => event.name === 'thread_name' && event.args.name === 'CrRendererMain';
  const threads = new Set(events.filter(isMain).map(thread));
  const tasks = events.filter((event) => event.ph === 'X' && event.name.endsWith('RunTask') && threads.has(thread(event)));
  const times = tasks.map(({ tdur = 0 }) => tdur / 1000).filter((ms) => ms > SHORT_MS).sort((one, other) => one - other);
  const part = (share) => Number((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1));
  return { task_p99: part(0.99), task_max: part(1) };
}

const thread = ({ pid, tid }) => `${pid}/${tid}`;
