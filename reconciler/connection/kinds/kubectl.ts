/**
 * Containers of Kubernetes pods, as `[namespace/]pod[/container][@context]`, through `kubectl exec`.
 * Invariant: what the address leaves out is kubectl's own choice.
 * Never enters as another account: Kubernetes has no way to ask for one.
 */

import { podAddress } from '../../../inventory/addresses.ts';
import { type ContainerProgram, refusal } from './container-program.ts';

export const kubectl: ContainerProgram = {
  program: 'kubectl',
  entersAsAccount: false,
  words: ({ address }, command) => {
    const { pod, namespace, container, context } = podAddress(address);
    return [
      'kubectl',
      ...(context === undefined ? [] : [`--context=${context}`]),
      ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
      'exec',
      '--stdin',
      ...(container === undefined ? [] : [`--container=${container}`]),
      pod,
      '--',
      'sh',
      '-c',
      command,
    ];
  },
  refusals: [
    refusal(/\(Forbidden\)|\(Unauthorized\)|must be logged in/i, 'container.not-permitted'),
    refusal(
      /container not found \("|completed pod|does not have a host assigned|not created or running|ContainerCreating/i,
      'container.not-running',
    ),
    refusal(/\(NotFound\)|is not valid for pod|not found in pod/i, 'container.missing'),
    refusal(
      /Unable to connect to the server|connection to the server|no configuration has been provided|context .*does not exist/i,
      'container.unreachable',
    ),
    refusal(/executable file not found|exec: "sh"/i, 'container.no-shell'),
  ],
};
