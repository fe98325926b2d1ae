import { describe, test } from 'vitest';
import { StubDashboard } from '../../dashboard/test/stub.js';
import { deployingAt, somePast } from '../../dashboard/test/stands.js';
import { StubServer } from '../../packages/client/test/stub-server.js';
import { expectBestScores } from './lighthouse.js';
import { hasChromium, servePage } from './page.js';

describe.skipIf(!hasChromium)('Lighthouse gives 100 for accessibility', () => {
  test('to the home page, a session and the dashboard', async () => {
    const server = await new StubServer(undefined, servePage()).start();
    const dashboard = await StubDashboard.start();
    try {
      dashboard.past = somePast(4);
      dashboard.stand = deployingAt(8);
      const page = `http://127.0.0.1:${server.port}`;
      await expectBestScores([`${page}/`, '.create'], [`${page}/s/quiet-heron`, 'canvas.interactive'], [`${dashboard.url}#token=t`, 'main h2']);
    } finally {
      await dashboard.stop();
      await server.stop();
    }
  });
});
