// What web servers get: a site and its settings.
import { command, defineRole, directory, link, template } from 'towline';

export default defineRole({
  targets: { groups: ['web*'] },
  after: ['base'],
  // One host first, then half of them at a time.
  serial: [1, '50%'],
  variables: {
    root: '/srv/towline-demo',
    port: 80,
    title: 'It works',
  },
  resources: ({ vars }) => [
    directory(`${vars.root}/web`, { mode: '0755' }),
    // A whole folder of the policy; what is not in it is removed from the host.
    directory(`${vars.root}/web/site`, { from: 'site', purge: true }),
    template(`${vars.root}/web/app.conf`, {
      from: 'app.conf.njk',
      vars: { folder: `${vars.root}/web/site` },
      mode: '0644',
      notify: 'reload',
    }),
    link(`${vars.root}/web/current`, { target: 'site' }),
  ],
  handlers: {
    // Stands for `service('nginx', { state: 'reloaded' })`; runs once, only if something changed.
    reload: ({ vars }) => command('reload', { argv: ['touch', `${vars.root}/web/reloaded`] }),
  },
});
