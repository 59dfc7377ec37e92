/**
 * A role that uses every kind of resource, for hosts of a test fleet with a stand-in for systemctl.
 * Invariant: it converges: a second apply finds nothing to do.
 * Never touches what the hosts need to be reached.
 */

import type { Files } from './towline.ts';

const role = `
import {
  assert, authorizedKey, block, command, defineRole, directory, echo, file, group, line, link, pkg, service, stop,
  template, user,
} from 'towline';

export default defineRole({
  variables: { port: 8080 },
  resources: ({ vars }) => [
    command('probe', { argv: ['cat', '/etc/hostname'], register: 'probe', changedWhen: false }),
    assert('the host has a name', { that: 'probe.rc == 0' }),
    group('app', { gid: 7801 }),
    user('app', { uid: 7801, group: 'app', home: '/srv/app', shell: '/usr/sbin/nologin' }),
    authorizedKey('ann', { user: 'deploy', key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2mVmYyXk1uN0r0m1T7w3v3kS1tq9m8e5m6oQeYw1sZ ann' }),
    directory('/srv/app', { owner: 'app', group: 'app', mode: '0750' }),
    directory('/srv/app/site', { from: 'site', purge: true }),
    file('/srv/app/inline', { content: 'from the role\\n', mode: '0600' }),
    file('/srv/app/copied', { from: 'copied.txt' }),
    file('/srv/app/once', { content: 'first\\n', createOnly: true }),
    file('/srv/app/unwanted', { state: 'absent' }),
    template('/srv/app/app.conf', { from: 'app.conf.njk', validate: ['grep', '-q', 'port', '%s'], notify: 'note' }),
    template('/srv/app/name', { from: 'name.njk' }),
    link('/srv/app/current', { target: 'site' }),
    line('/etc/hosts', { line: '192.0.2.1 example', match: ' example$' }),
    block('/etc/profile', { name: 'app', block: 'export APP=1' }),
    pkg('openssh-server'),
    service('app', { state: 'running', enabled: true }),
    command('made', { argv: ['cp', '/srv/app/inline', '/srv/app/made'], creates: '/srv/app/made' }),
    command('guarded', { argv: ['touch', '/srv/app/guarded'], onlyIf: ['test', '-e', '/srv/app/inline'], unless: ['test', '-e', '/srv/app/guarded'] }),
    command('fed', { argv: ['sh', '-c', 'cat > /srv/app/fed; pwd >> /srv/app/fed; echo $WORD >> /srv/app/fed'], stdin: 'input\\n', cwd: '/srv', env: { WORD: 'given' }, creates: '/srv/app/fed' }),
    echo('this is {{ probe.stdout }}'),
    stop('the host has no name', { when: 'probe.rc != 0' }),
  ],
  handlers: { note: () => command('note', { argv: ['sh', '-c', 'echo noted >> /srv/app/notes'] }) },
});
`;

/** Paths below /srv/app with their content after an apply on a host of that name. */
export function everyKindContent(host: string): Readonly<Record<string, string>> {
  return {
    inline: 'from the role\n',
    copied: 'from a file\n',
    once: 'first\n',
    'app.conf': 'port 8080\n',
    name: `name ${host}\n`,
    'current/index.html': '<p>site</p>\n',
    'site/deep/er.txt': 'deep\n',
    made: 'from the role\n',
    guarded: '',
    fed: 'input\n/srv\ngiven\n',
    notes: 'noted\n',
  };
}

/** The role's files, for a role of that name. */
export function everyKindRole(name: string): Files {
  const at = (path: string): string => `roles/${name}/${path}`;
  return {
    [at('role.ts')]: role,
    [at('files/copied.txt')]: 'from a file\n',
    [at('files/site/index.html')]: '<p>site</p>\n',
    [at('files/site/deep/er.txt')]: 'deep\n',
    [at('templates/app.conf.njk')]: 'port {{ port }}\n',
    [at('templates/name.njk')]: 'name {{ results.probe.stdout | trim }}\n',
  };
}
