import { describe, test } from 'vitest';
import { StubDashboard } from '../../dashboard/test/stub.js';
import { deployingAt, somePast } from '../../dashboard/test/stands.js';
import { StubServer } from '../../packages/client/test/stub-server.js';
import { expectBestScores } from './lighthouse.js';
import { servePage } from './page.js';

/** Too slow for each run of the tests: `npm run lighthouse`. Those have axe, whose rules it uses. */
const asked = process.env.ISSHONI_LIGHTHOUSE !== undefined;

describe.skipIf(!asked)('Lighthouse gives 100 for accessibility', { timeout: 300_000 }, () => {
  test('to the home page, a session and the dashboard', async () => {
    const server = await new StubServer(undefined, servePage()).start();
    const dashboard = await StubDashboard.start();
    try {
      dashboard.past = somePast(4);
      dashboard.stand = deployingAt(8);
      const page = `http://127.0.0.1:${server.port}`;
      await expectBestScores(`${page}/`, `${page}/s/quiet-heron`, `${dashboard.url}#token=t`);
    } finally {
      await dashboard.stop();
      await server.stop();
    }
  });
});
