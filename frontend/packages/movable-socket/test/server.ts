import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, WebSocket } from 'ws';
import { MovableSocket, type MovableOptions, type MoveOutcome } from '../src/index.js';

export interface Peer {
  socket: WebSocket;
  query: URLSearchParams;
  received: string[];
}

/** A server of an application that asks its clients to move to itself, as another one. */
export class MigratingServer {
  readonly peers: Peer[] = [];
  onPeer: (peer: Peer) => void = () => undefined;
  private readonly http = createServer();
  private readonly sockets: WebSocketServer;

  constructor(options: { handleProtocols?: (asked: Set<string>) => string | false; refuse?: () => boolean } = {}) {
    const verifyClient = () => !options.refuse?.();
    this.sockets = new WebSocketServer({ server: this.http, verifyClient, handleProtocols: options.handleProtocols });
    this.sockets.on('connection', (socket, request) => {
      const { searchParams } = new URL(request.url ?? '/', 'ws://host');
      const peer: Peer = { socket, query: searchParams, received: [] };
      this.peers.push(peer);
      socket.on('message', (data: Buffer) => peer.received.push(data.toString()));
      this.onPeer(peer);
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((done) => this.http.listen(0, '127.0.0.1', done));
    return `ws://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  stop(): void {
    for (const { socket } of this.peers) socket.terminate();
    this.sockets.close();
    this.http.close();
  }

  peer(index: number): Peer {
    const peer = this.peers.at(index);
    if (!peer) throw new Error(`no connection ${index}`);
    return peer;
  }

  migrate(to: string, within_ms = 20_000): void {
    this.peer(-1).socket.send(JSON.stringify({ type: 'migrate', to, ticket: `for-${to}`, within_ms }));
  }
}

export async function until(condition: () => boolean, what = 'the condition'): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`30 s passed without ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** A class for a library, and what became of its moves. */
export function movable(options: MovableOptions = {}): { Socket: typeof MovableSocket; moves: MoveOutcome[] } {
  const moves: MoveOutcome[] = [];
  const Socket = MovableSocket.with({
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    ...options,
    onMove: (outcome) => {
      moves.push(outcome);
      options.onMove?.(outcome);
    },
  });
  return { Socket, moves };
}
