import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GitServer, hasGitBackend, serveGit } from '../../helpers/git-http.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { fileRole, SmallFleet } from '../flow/small-fleet.ts';
import { jsonLines, towline } from './in-process.ts';

const fresh = temporaryDirectories();
let fleet: SmallFleet;
let server: GitServer;
beforeAll(async () => {
  fleet = await SmallFleet.start(fresh(), ['a'], {
    'towline.toml': '[environments.test]\nbranch = "main"\ninventory = "inventory.toml"\n',
    'roles/base/role.ts': fileRole('base', `'one'`),
  });
  server = await serveGit(fleet.folder);
});
afterAll(async () => {
  await server.close();
  await fleet.stop();
});

describe.skipIf(!hasGitBackend)('a policy on a remote', () => {
  it('is fetched before a command looks at it, and refused when it cannot be', async () => {
    const place = { directory: fresh(), state: fresh() };
    const repo = ['--repo', `${server.url}/${basename(fleet.repository)}/.git`, '--json'];
    const planned = await towline(['plan', ...repo], place);
    expect([planned.status, jsonLines(planned.stdout)[0]]).toMatchObject([2, { pairs: [{ host: 'a' }] }]);
    expect((await towline(['run', '--once', ...repo], place)).status).toBe(0);
    fleet.commit({ 'roles/base/role.ts': fileRole('base', `'two'`) });
    expect((await towline(['plan', ...repo], place)).status).toBe(2);
    server.intercept = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    expect((await towline(['plan', ...repo], place)).status).toBe(1);
    expect((await towline(['run', '--once', ...repo], place)).status).toBe(1);
  });
});
