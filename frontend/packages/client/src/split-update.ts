import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';

/** A part of an update that cannot be sent: one value larger than a frame. */
export interface TooLarge {
  client: number;
  clock: number;
  length: number;
  bytes: number;
}

export interface SplitUpdate {
  /** The pieces of the update, to be sent in this order. */
  pieces: Uint8Array[];
  /** The values left out; the pieces have them as deleted, so that later parts can refer to them. */
  tooLarge: TooLarge[];
}

type Struct = Y.Item | Y.GC | Y.Skip;

/** Bytes of a piece besides its structs: counts, and an id for each author. */
const HEADER_BYTES = 64;
/** Most bytes that one deleted range takes. */
const RANGE_BYTES = 10;

/**
 * Split a Yjs update into pieces of about `pieceBytes`.
 *
 * Strings and lists of plain values are split; a large single value gets a piece of its own, of
 * up to `frameBytes`. A still larger value is left out.
 *
 * No piece refers to a later one, so they can be applied in order: a struct comes after those
 * that it refers to, and deletions come last.
 */
export function splitUpdate(update: Uint8Array, pieceBytes: number, frameBytes: number): SplitUpdate {
  if (update.length <= pieceBytes) return { pieces: [update], tooLarge: [] };
  const { structs, ds } = Y.decodeUpdate(update);
  const writer = new PieceWriter(pieceBytes);
  const tooLarge: TooLarge[] = [];
  for (const struct of inOrderOfNeed(structs)) {
    for (const part of cut(struct, pieceBytes)) {
      const bytes = encode(part);
      if (bytes.length + HEADER_BYTES <= frameBytes) writer.addStruct(part, bytes);
      else {
        tooLarge.push({ ...part.id, length: part.length, bytes: bytes.length });
        const stub = toDeleted(part, frameBytes);
        writer.addStruct(stub, encode(stub));
      }
    }
  }
  for (const [client, ranges] of ds.clients) for (const { clock, len } of ranges) writer.addDeleted(client, clock, len);
  return { pieces: writer.finish(), tooLarge };
}

/** Return an update that only deletes these values. */
export function makeDeletion(deleted: readonly TooLarge[]): Uint8Array {
  const writer = new PieceWriter(Infinity);
  for (const { client, clock, length } of deleted) writer.addDeleted(client, clock, length);
  return writer.finish()[0]!;
}

/** Collects structs and deleted ranges; begins the next piece when one is full. */
class PieceWriter {
  private readonly pieces: Uint8Array[] = [];
  private readonly structs = new Map<number, { clock: number; next: number; encoded: Uint8Array[] }>();
  private readonly deleted = new Map<number, [clock: number, length: number][]>();
  private bytes = 0;

  constructor(private readonly pieceBytes: number) {}

  addStruct({ id, length }: Struct, bytes: Uint8Array): void {
    this.makeRoom(bytes.length);
    // An update stores no clock per struct: each begins where the one before it ends.
    if ((this.structs.get(id.client)?.next ?? id.clock) !== id.clock) this.flush();
    const of = this.structs.get(id.client) ?? { clock: id.clock, next: id.clock, encoded: [] };
    of.encoded.push(bytes);
    of.next += length;
    this.structs.set(id.client, of);
  }

  addDeleted(client: number, clock: number, length: number): void {
    this.makeRoom(RANGE_BYTES);
    const of = this.deleted.get(client) ?? [];
    of.push([clock, length]);
    this.deleted.set(client, of);
  }

  finish(): Uint8Array[] {
    this.flush();
    return this.pieces;
  }

  private makeRoom(bytes: number): void {
    if (this.bytes > 0 && this.bytes + bytes > this.pieceBytes) this.flush();
    this.bytes += bytes;
  }

  private flush(): void {
    if (this.structs.size === 0 && this.deleted.size === 0) return;
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, this.structs.size);
    for (const [client, { clock, encoded }] of this.structs) {
      encoding.writeVarUint(encoder, encoded.length);
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, clock);
      for (const bytes of encoded) encoding.writeUint8Array(encoder, bytes);
    }
    encoding.writeVarUint(encoder, this.deleted.size);
    for (const [client, ranges] of this.deleted) {
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, ranges.length);
      for (const number of ranges.flat()) encoding.writeVarUint(encoder, number);
    }
    this.pieces.push(encoding.toUint8Array(encoder));
    this.structs.clear();
    this.deleted.clear();
    this.bytes = 0;
  }
}

/** List structs so that each comes after those it refers to, of any author. */
function inOrderOfNeed(structs: readonly Struct[]): Struct[] {
  const queues = new Map<number, Struct[]>();
  for (const struct of structs) {
    if (struct instanceof Y.Skip) continue;
    const queue = queues.get(struct.id.client) ?? [];
    queue.push(struct);
    queues.set(struct.id.client, queue);
  }
  const sent = new Map<number, number>();
  const head = (client: number): Struct | undefined => queues.get(client)?.[sent.get(client) ?? 0];
  const isWaitedFor = ({ client, clock }: Y.ID): boolean => (head(client)?.id.clock ?? Infinity) <= clock;
  const ordered: Struct[] = [];
  for (const client of queues.keys()) {
    const needed: Y.ID[] = [Y.createID(client, Infinity)];
    while (needed.length > 0) {
      const wanted = needed.at(-1)!;
      const next = head(wanted.client);
      const missing = next && needs(next).find((id) => id.client !== wanted.client && isWaitedFor(id));
      if (next === undefined || !isWaitedFor(wanted)) needed.pop();
      // A valid update has no cycle of references; with an invalid one the loop must end too.
      else if (missing !== undefined && needed.length <= queues.size) needed.push(missing);
      else {
        ordered.push(next);
        sent.set(wanted.client, (sent.get(wanted.client) ?? 0) + 1);
      }
    }
  }
  return ordered;
}

function needs(struct: Struct): Y.ID[] {
  if (!(struct instanceof Y.Item)) return [];
  const { origin, rightOrigin, parent } = struct;
  return [origin, rightOrigin, parent].filter((id): id is Y.ID => id instanceof Y.ID);
}

/** Cut a struct in two until each part is small enough or a single value. */
function* cut(struct: Struct, pieceBytes: number): Generator<Struct> {
  const at = encode(struct).length <= pieceBytes ? 0 : findMiddle(struct);
  if (at === 0) {
    yield struct;
    return;
  }
  const { id, rightOrigin, parent, parentSub, content } = struct as Y.Item;
  const rest = content.splice(at);
  const before = Y.createID(id.client, id.clock + at - 1);
  struct.length = at;
  yield* cut(struct, pieceBytes);
  const restId = Y.createID(id.client, id.clock + at);
  yield* cut(new Y.Item(restId, null, before, null, rightOrigin, parent, parentSub, rest), pieceBytes);
}

/** Return where to cut a struct in two; 0 if it is one value. */
function findMiddle(struct: Struct): number {
  const content = struct instanceof Y.Item ? struct.content : null;
  const isList = content instanceof Y.ContentString || content instanceof Y.ContentAny || content instanceof Y.ContentJSON;
  if (!isList) return 0;
  const middle = struct.length >> 1;
  if (!(content instanceof Y.ContentString) || (content.str.codePointAt(middle - 1) ?? 0) <= 0xffff) return middle;
  // Never cut between the two units of one character.
  return middle - 1 || (struct.length > 2 ? 2 : 0);
}

/** Return a deleted struct in place of one that is not sent, so that others can still refer to it. */
function toDeleted(struct: Struct, frameBytes: number): Struct {
  const { id, length } = struct;
  if (struct instanceof Y.Item) {
    const { origin, rightOrigin, parent, parentSub } = struct;
    const stub = new Y.Item(id, null, origin, null, rightOrigin, parent, parentSub, new Y.ContentDeleted(length));
    if (encode(stub).length + HEADER_BYTES <= frameBytes) return stub;
  }
  return new Y.GC(id, length);
}

function encode(struct: Struct): Uint8Array {
  const encoder = new Y.UpdateEncoderV1();
  struct.write(encoder, 0);
  return encoding.toUint8Array(encoder.restEncoder);
}
