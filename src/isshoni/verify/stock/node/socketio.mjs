/** A stock Socket.IO client. */
import { io } from 'socket.io-client';
import { frameReporter, now, report } from './reports.mjs';

const textOf = (values) =>
  JSON.stringify(values, (_, value) =>
    value?.type === 'Buffer' || value instanceof Uint8Array ? '<bytes>' : value,
  );

export class SocketIoClient {
  #sent = 0;

  constructor({ number, url, message, joins, auth }, { run, path }) {
    this.number = number;
    this.run = run;
    this.message = message;
    this.frame = frameReporter(run, number);
    this.socket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      ...(auth ? { auth: JSON.parse(auth) } : {}),
      ...(path ? { path } : {}),
    });
    this.socket.on('connect', () => {
      for (const join of joins) this.socket.emit(...JSON.parse(join));
      report('opened', number, now(), Boolean(this.socket.recovered));
    });
    this.socket.on('disconnect', (reason) => report('closed', number, now(), null, reason));
    this.socket.on('connect_error', (error) => {
      const answered = error.type !== 'TransportError' || /\d{3}/.test(error.description?.message ?? '');
      const why = error.description?.message ?? error.message;
      report('failed', number, now(), answered ? 'TURNED_AWAY' : 'REFUSED', why);
    });
    this.socket.onAny((...event) => this.frame(textOf(event)));
  }

  trial(id) {
    this.#emit(id, () => report('acknowledged', this.number, 0, id));
  }

  send() {
    const n = (this.#sent += 1);
    report('sent', this.number, now(), n);
    this.#emit(`iv-${this.run}-${this.number}-${n}`, () =>
      report('acknowledged', this.number, n, ''),
    );
    // The library keeps it until it is connected again: nothing is ever refused.
    report('taken', this.number, n);
  }

  #emit(id, acknowledged) {
    const event = JSON.parse(this.message.replaceAll('{id}', id));
    this.socket.emit(...event, (...values) => {
      acknowledged();
      if (values.length) this.frame(textOf(['ack', ...values]));
    });
  }

  stop() {
    this.socket.close();
  }
}
