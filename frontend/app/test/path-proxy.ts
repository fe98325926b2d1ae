import { createServer, request as ask, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/** A proxy that offers a server below a path of its own, as nginx does with `location /draw/`. */
export class PathProxy {
  private readonly sockets = new Set<Duplex>();
  private readonly server: Server;

  constructor(
    private readonly port: number,
    readonly path = '/draw',
  ) {
    this.server = createServer((request, response) => {
      const path = this.inner(request);
      if (path === null) return void response.writeHead(404).end();
      const { method, headers } = request;
      const onward = ask({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      request.pipe(onward);
    });
    this.server.on('upgrade', (request, near, head) => this.upgrade(request, near, head));
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${this.path}`;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  stop(): void {
    this.sockets.forEach((socket) => socket.destroy());
    this.server.closeAllConnections();
    this.server.close();
  }

  private inner({ url }: IncomingMessage): string | null {
    return url!.startsWith(`${this.path}/`) ? url!.slice(this.path.length) : null;
  }

  private upgrade(request: IncomingMessage, near: Duplex, head: Buffer): void {
    const path = this.inner(request);
    if (path === null) return void near.destroy();
    const far = connect(this.port, '127.0.0.1');
    const { rawHeaders } = request;
    const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
    far.write([`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
    far.write(head);
    near.pipe(far).pipe(near);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      this.sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  }
}
