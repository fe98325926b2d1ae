/** Read Server-Sent Events: the data of each, null for a heartbeat. */
export async function* parseEvents(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string | null> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) yield dataOf(block);
  }
}

function dataOf(block: string): string | null {
  const data = block.split('\n').filter((line) => line.startsWith('data: '));
  return data.length === 0 ? null : data.map((line) => line.slice('data: '.length)).join('\n');
}
