import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GitServer, hasGitBackend, serveGit } from '../../helpers/git-http.ts';
import { type Ran, runCommand } from '../../helpers/run-command.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

describe.skipIf(!hasGitBackend)('a policy on a remote that wants a token', () => {
  const directory = fresh();
  const home = fresh();
  const tokenFile = join(home, 'token');
  let server: GitServer;

  beforeAll(async () => {
    writeFileSync(tokenFile, 'letmein\n');
    await runCommand(['init', 'fleet'], { directory, home });
    server = await serveGit(directory);
    const wanted = `Basic ${Buffer.from('x-access-token:letmein').toString('base64')}`;
    server.intercept = (request, response) => {
      if (request.headers.authorization === wanted) return false;
      response.writeHead(401).end();
      return true;
    };
  });
  afterAll(() => server.close());

  const plan = (environment: Record<string, string>): Promise<Ran> =>
    runCommand(['plan', '--repo', `${server.url}/fleet`, '--json'], { directory, home, environment });

  it('is planned when TOWLINE_GIT_TOKEN_FILE names the token', async () => {
    const ran = await plan({ TOWLINE_GIT_TOKEN_FILE: tokenFile });
    expect(ran).toMatchObject({ status: 2, stderr: '' });
    expect(ran.stdout).toContain('web2');
    expect(ran.stdout).not.toContain('letmein');
  });

  it('is refused without', async () => {
    const ran = await plan({});
    expect(ran.status).toBe(1);
    expect(ran.stdout).toContain('"code":"source.');
  });
});
