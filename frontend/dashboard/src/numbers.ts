/** Format seconds like a clock: 4.2 s, 1:05. */
export function sayClock(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

export const sayCount = (count: number): string => count.toLocaleString('en');
