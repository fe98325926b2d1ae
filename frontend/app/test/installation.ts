import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Place {
  python: string;
  directory: string;
  state: string;
  address: string;
}

/** A platform that pytest has brought up, and the `isshoni` command run in its directory. */
export class Installation {
  private readonly place = JSON.parse(process.env.ISSHONI_TEST_INSTALLATION!) as Place;

  get address(): string {
    return this.place.address;
  }

  /** Run the command to its end; what it says is in the error if it fails. */
  async run(...words: string[]): Promise<string> {
    const { python, directory, state } = this.place;
    const child = spawn(python, ['-m', 'isshoni.cli', ...words], {
      cwd: directory,
      env: { ...process.env, ISSHONI_STATE_DIR: state },
    });
    let said = '';
    let complained = '';
    child.stdout.on('data', (text: Buffer) => (said += text.toString()));
    child.stderr.on('data', (text: Buffer) => (complained += text.toString()));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    if (code !== 0) throw new Error(`isshoni ${words.join(' ')} ended with ${code}:\n${said}\n${complained}`);
    return said;
  }

  /** Kill the process that serves a colour, as the kernel would when memory is out. */
  kill(colour: string): void {
    const observed = readFileSync(join(this.place.state, 'observed', `${colour}.json`), 'utf8');
    process.kill((JSON.parse(observed) as { pid: number }).pid, 'SIGKILL');
  }
}
