import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Heartbeat } from '../src/heartbeat.js';

let pings: number;
let deaths: number;
let owed: boolean;
let heartbeat: Heartbeat;

beforeEach(() => {
  vi.useFakeTimers();
  [pings, deaths, owed] = [0, 0, false];
  heartbeat = new Heartbeat(
    () => (pings += 1),
    () => {
      deaths += 1;
      heartbeat.stop();
    },
    () => owed,
  );
  heartbeat.start(20_000);
});

afterEach(() => {
  vi.useRealTimers();
});

test('two intervals of silence mean a dead socket', () => {
  vi.advanceTimersByTime(39_000);
  expect([pings, deaths]).toEqual([1, 0]);
  vi.advanceTimersByTime(1000);
  expect(deaths).toBe(1);
});

test('a socket that is heard lives', () => {
  for (let beats = 0; beats < 5; beats += 1) {
    vi.advanceTimersByTime(20_000);
    heartbeat.heard();
  }
  expect([pings, deaths]).toEqual([5, 0]);
});

test('what stays unacknowledged for five seconds is asked about, and silence after it is death', () => {
  owed = true;
  heartbeat.expect();
  vi.advanceTimersByTime(4999);
  expect(pings).toBe(0);
  vi.advanceTimersByTime(1);
  expect(pings).toBe(1);
  vi.advanceTimersByTime(5000);
  expect(deaths).toBe(1);
});

test('as long as something is heard and something is owed, every silence is looked into', () => {
  owed = true;
  heartbeat.expect();
  vi.advanceTimersByTime(3000);
  heartbeat.heard();
  vi.advanceTimersByTime(5000);
  expect(pings).toBe(1);
  heartbeat.heard();
  vi.advanceTimersByTime(10_000);
  expect(deaths).toBe(1);
});

test('nothing is asked about what is acknowledged', () => {
  owed = true;
  heartbeat.expect();
  owed = false;
  heartbeat.heard();
  vi.advanceTimersByTime(19_000);
  expect([pings, deaths]).toEqual([0, 0]);
});
