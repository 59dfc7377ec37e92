import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { quiet } from './driver/quiet.ts';
import { fileOf, role, smallPolicy } from './driver/small-policy.ts';
import { contactedIn, convergedIn, type Files, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();

/** A role for Debian hosts that writes what it knows of its host. */
const factsRole = (text: string): Files => ({
  'roles/base/role.ts': `import { defineRole, file } from 'towline';

export default defineRole({
  when: ({ facts }) => facts.os.family === 'debian',
  resources: ({ facts, host }) => [
    file('${fileOf('base')}', { content: \`${text} \${host.name} \${facts.network.primary?.address ?? facts.network.hostname}\\n\` }),
  ],
});
`,
});

describe.skipIf(fleetAvailable() !== undefined)('runs that are narrowed, on OpenSSH hosts', () => {
  let fleet: Fleet;
  let towline: Towline;
  const traffic = (...names: string[]): unknown[] => names.map((name) => fleet.host(name).bytes());

  beforeAll(async () => {
    fleet = await upFleet({ count: 4 });
    towline = new Towline(fresh(), smallPolicy(fleet));
  });
  afterAll(() => fleet?.down());

  it('contact no host but those asked for, by name or by group', async () => {
    await quiet(fleet);
    const others = traffic('host2', 'host3', 'host4');
    const one = await towline.run('apply', '--limit-hosts', 'host1', '--json');
    expect(convergedIn(one.lines)).toEqual(['host1/base', 'host1/web']);
    expect(traffic('host2', 'host3', 'host4')).toEqual(others);
    await quiet(fleet);
    const before = traffic('host1', 'host2');
    const group = await towline.run('apply', '--limit-groups', 'd*', '--json');
    expect(contactedIn(group.lines)).toEqual(['host3', 'host4']);
    expect(traffic('host1', 'host2')).toEqual(before);
  });

  it('leave the rest to the next run, which takes nothing twice', async () => {
    await quiet(fleet);
    const before = traffic('host1', 'host3', 'host4');
    const rest = await towline.run('apply', '--json');
    expect(convergedIn(rest.lines)).toEqual(['host2/base', 'host2/web']);
    expect(traffic('host1', 'host3', 'host4')).toEqual(before);
    expect(summaryOf((await towline.run('apply', '--json')).lines).outcome).toBe('nothing-to-do');
  });

  it('take an extra variable for all of them, and give it up again without it', async () => {
    const extra = await towline.run('apply', '-e', 'word=given', '--limit-hosts', 'host4', '--json');
    expect(convergedIn(extra.lines)).toEqual(['host4/base', 'host4/db']);
    expect(await fleet.host('host4').readFile(fileOf('db'))).toBe('db 1 given\n');
    const without = await towline.run('apply', '--json');
    expect(convergedIn(without.lines)).toEqual(['host4/base', 'host4/db']);
    expect(await fleet.host('host4').readFile(fileOf('db'))).toBe('db 1 plain\n');
  });

  it('try only what failed, where that is asked for', async () => {
    await fleet.host('host3').stop('refuse');
    towline.commit(role('db', 'db 2'));
    const first = await towline.run('apply', '--json');
    expect(first.status).toBe(1);
    expect(summaryOf(first.lines).hosts).toMatchObject({ changed: ['host4'], unreachable: ['host3'] });
    await fleet.host('host3').start();
    towline.commit(role('web', 'web 2'));
    const again = await towline.run('apply', '--only', 'failed', '--json');
    expect(again.status, again.stdout).toBe(0);
    expect(convergedIn(again.lines)).toEqual(['host3/db']);
    expect(convergedIn((await towline.run('apply', '--json')).lines)).toEqual(['host1/web', 'host2/web']);
  });

  it('ask a host for its facts once, and never again for a plan', async () => {
    towline.commit(factsRole('facts'));
    const first = await towline.run('apply', '--json');
    expect(first.status, first.stdout).toBe(0);
    expect(await fleet.host('host2').readFile(fileOf('base'))).toContain('facts host2 ');
    await quiet(fleet);
    const before = traffic('host1', 'host2', 'host3', 'host4');
    const again = await towline.run('apply', '--json');
    expect(summaryOf(again.lines).outcome).toBe('nothing-to-do');
    towline.commit(factsRole('more facts'));
    const plan = await towline.run('plan');
    expect(plan.stdout).toContain('4 hosts');
    expect(traffic('host1', 'host2', 'host3', 'host4')).toEqual(before);
  });
});
