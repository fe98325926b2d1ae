declare module 'phoenix' {
  interface Push {
    receive(status: string, callback: (response: unknown) => void): Push;
  }
  interface Channel {
    join(): Push;
    push(event: string, payload: object): Push;
    on(event: string, callback: (payload: unknown) => void): number;
  }
  export class Socket {
    constructor(url: string, options: { transport: unknown });
    connect(): void;
    disconnect(): void;
    onClose(callback: (event: unknown) => void): void;
    channel(topic: string): Channel;
  }
}
