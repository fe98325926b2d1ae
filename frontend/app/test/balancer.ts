import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

export interface Backend {
  port: number;
  admin_port: number;
}

/** The least that a load balancer of a pair does: `target=` wins, else all go to `stable`. */
export class Balancer {
  private readonly server: Server = createServer((incoming, response) => {
    const { url: path, headers } = incoming;
    const upstream = request({ port: this.backendOf(incoming).port, path, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.writeHead(503).end());
    upstream.end();
  });

  constructor(
    private readonly backends: Record<string, Backend>,
    public stable: string,
  ) {
    this.server.on('upgrade', (incoming, socket, head) => {
      const upstream = connect(this.backendOf(incoming).port, '127.0.0.1', () => {
        const lines = incoming.rawHeaders.map((part, i) => (i % 2 === 0 ? `${part}: ` : `${part}\r\n`));
        upstream.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('')}\r\n`);
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy());
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private backendOf(incoming: IncomingMessage): Backend {
    const target = new URL(incoming.url!, 'http://balancer').searchParams.get('target');
    return this.backends[target ?? this.stable] ?? this.backends[this.stable]!;
  }
}
