// What every host gets. Needs no root: everything lies below `root`.
import { command, defineRole, directory, file, template } from 'towline';

export default defineRole({
  variables: {
    // Where this policy writes. Relative to nothing: an absolute path.
    root: '/srv/towline-demo',
    contact: 'nobody',
  },
  resources: ({ vars }) => [
    directory(vars.root, { mode: '0755' }),
    command('kernel', { argv: ['uname', '-sr'], register: 'kernel', changedWhen: false }),
    // Reads a registered result, so it is rendered on the host.
    template(`${vars.root}/motd`, { from: 'motd.njk', mode: '0644' }),
    file(`${vars.root}/policy.txt`, { from: 'policy.txt', mode: '0644' }),
  ],
});
