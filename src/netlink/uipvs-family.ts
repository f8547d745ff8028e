import { type DirectorPort, PROC_NAMES, type ProcName, type Sysctl } from '../core/commands.ts';
import { IpvsError } from '../core/errors.ts';
import type { Attributes } from './attributes.ts';
import { readExplainRequest } from './explain-request.ts';
import type { Family, Fill, Operation } from './families.ts';
import { PROTOCOL_VERSION, UIPVS_ATTR, UIPVS_COMMAND, UIPVS_FAMILY, UIPVS_POLICY } from './uipvs-abi.ts';

const { version } = UIPVS_FAMILY;

/** A reply with a long text has at least so much of it, unless the text ends. */
const REPLY_CHARS = 32_768;

/**
 * @param hello called when the client says HELLO
 * @returns the family `uipvs` over a director.
 */
export function uipvsFamily(id: number, director: DirectorPort, hello: () => void): Family {
  return {
    id,
    ...UIPVS_FAMILY,
    isPrivileged: true,
    policy: UIPVS_POLICY,
    operations: [
      helloOperation(hello),
      procOperation(director),
      ...sysctlOperations(director),
      statusOperation(director),
      explainOperation(director),
    ],
  };
}

function helloOperation(hello: () => void): Operation {
  return {
    command: UIPVS_COMMAND.HELLO,
    one: async () => {
      hello();
      return (writer) =>
        writer.genl(UIPVS_COMMAND.HELLO, version).attrU32(UIPVS_ATTR.PROTOCOL, PROTOCOL_VERSION);
    },
  };
}

function procOperation(director: DirectorPort): Operation {
  return {
    command: UIPVS_COMMAND.PROC,
    one: async (request) => {
      const given = requiredName(request);
      const name = PROC_NAMES.find((known) => known === given);
      if (name === undefined) throw new IpvsError('ENOENT', `there is no text '${given}'`);
      return procReply(director, name, request.u64(UIPVS_ATTR.FROM));
    },
  };
}

/** Joins slices, which are short so that none holds the director long, to a reply worth an exchange. */
async function procReply(director: DirectorPort, name: ProcName, from: number): Promise<Fill> {
  let slice = await director.ask({ query: 'proc', name, from });
  let { text } = slice;
  while (slice.next >= 0 && text.length < REPLY_CHARS) {
    slice = await director.ask({ query: 'proc', name, from: slice.next });
    text += slice.text;
  }
  const { next } = slice;
  return (writer) => {
    writer.genl(UIPVS_COMMAND.PROC, version).attrLongText(UIPVS_ATTR.TEXT, text);
    if (next >= 0) writer.attrU64(UIPVS_ATTR.NEXT, next, 0);
  };
}

function sysctlOperations(director: DirectorPort): Operation[] {
  return [
    {
      command: UIPVS_COMMAND.GET_SYSCTL,
      one: async (request) => {
        const name = requiredName(request);
        const [sysctl] = await director.ask({ query: 'sysctl', name });
        if (!sysctl) throw new IpvsError('ENOENT', `there is no setting '${name}'`);
        return sysctlReply(sysctl);
      },
      dump: async () => (await director.ask({ query: 'sysctl', name: undefined })).map(sysctlReply),
    },
    {
      command: UIPVS_COMMAND.SET_SYSCTL,
      one: async (request) => {
        const name = requiredName(request);
        if (!request.has(UIPVS_ATTR.VALUE)) throw new IpvsError('EINVAL', 'a value is missing');
        await director.apply({ op: 'set-sysctl', name, value: request.text(UIPVS_ATTR.VALUE) });
        return undefined;
      },
    },
  ];
}

function sysctlReply(sysctl: Sysctl): Fill {
  return (writer) =>
    writer
      .genl(UIPVS_COMMAND.GET_SYSCTL, version)
      .attrText(UIPVS_ATTR.NAME, sysctl.name)
      .attrText(UIPVS_ATTR.VALUE, sysctl.value);
}

function statusOperation(director: DirectorPort): Operation {
  return {
    command: UIPVS_COMMAND.STATUS,
    one: async () => {
      const status = await director.ask({ query: 'status' });
      return (writer) =>
        writer.genl(UIPVS_COMMAND.STATUS, version).attrLongText(UIPVS_ATTR.TEXT, JSON.stringify(status));
    },
  };
}

function explainOperation(director: DirectorPort): Operation {
  return {
    command: UIPVS_COMMAND.EXPLAIN,
    one: async (attributes) => {
      const request = readExplainRequest(attributes.joinedText(UIPVS_ATTR.TEXT));
      if (!request) throw new IpvsError('EINVAL', 'the request is malformed');
      const found = await director.ask({ query: 'explain', request });
      return (writer) =>
        writer.genl(UIPVS_COMMAND.EXPLAIN, version).attrLongText(UIPVS_ATTR.TEXT, JSON.stringify(found));
    },
  };
}

function requiredName(request: Attributes): string {
  if (!request.has(UIPVS_ATTR.NAME)) throw new IpvsError('EINVAL', 'a name is missing');
  return request.text(UIPVS_ATTR.NAME);
}
