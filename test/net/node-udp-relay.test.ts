import { NodeUdpRelay } from '../../src/net/node-udp-relay.ts';
import { describeUdpRelay } from './udp-relay-contract.ts';

describeUdpRelay('node', (parts) => new NodeUdpRelay(parts));
