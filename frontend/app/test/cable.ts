import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** The cable between a browser and a server, which can be pulled: what goes on underneath knows no goodbye. */
export class Cable {
  private readonly sockets = new Set<Socket>();
  private pulled = false;
  private readonly server = createServer((near) => {
    if (this.pulled) return near.destroy();
    const far = connect(Number(this.target.port), this.target.hostname);
    near.pipe(far).pipe(near);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      this.sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
  });
  private readonly target: URL;

  constructor(address: string) {
    this.target = new URL(address);
  }

  /** The server's address at this end of the cable. */
  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async lay(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  pull(): void {
    this.pulled = true;
    this.sockets.forEach((socket) => socket.destroy());
  }

  mend(): void {
    this.pulled = false;
  }

  remove(): void {
    this.pull();
    this.server.close();
  }
}
