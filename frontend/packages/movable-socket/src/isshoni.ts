import type { MovableOptions } from './options.js';

/** Return the options by which a y-websocket client of an Isshoni backend can be moved. */
export function isshoniCanvas(): MovableOptions {
  return {
    hello: (url) => [JSON.stringify({ type: 'restore_session', session_id: sessionOf(url), can: ['migrate', 'canvas'] })],
    // The canvas is binary; JSON is only for clients that chat.
    hidden: (data) => typeof data === 'string',
    ready: (data) => typeof data === 'string' && data.includes('"session_restored"') && isRestored(data),
    preamble: 1,
    // Without 1000 the others see this client for five more seconds, in which it is announced again.
    leaveCode: 3000,
  };
}

function sessionOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.split('/').pop() ?? '');
}

function isRestored(data: string): boolean {
  try {
    return (JSON.parse(data) as { type?: unknown }).type === 'session_restored';
  } catch {
    return false;
  }
}
