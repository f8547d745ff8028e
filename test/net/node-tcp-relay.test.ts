import { NodeTcpRelay } from '../../src/net/node-tcp-relay.ts';
import { describeTcpRelay } from './relay-contract.ts';

describeTcpRelay('node', (parts) => new NodeTcpRelay(parts));
