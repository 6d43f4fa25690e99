// One of the TypeScript clients, driven through what a client needs; prints what it saw as JSON.
//
//     node client.mjs 1|2 legacy|auto stdio COMMAND ARG...
//     node client.mjs 1|2 legacy|auto http URL TOKEN
//     node client.mjs 1   legacy      sse  URL TOKEN

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [major, mode, kind, target, ...rest] = process.argv.slice(2);

// The packages live outside the checkout, where node would not look for them by itself.
const require = createRequire(process.env.CLIENT_HOME + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

const asked = [];
const answers = {
  "elicitation/create": (request) => {
    asked.push(request.params.message);
    return { action: "accept", content: { username: "ada", response: "yes", email: "ada@example.com" } };
  },
  "sampling/createMessage": () => {
    asked.push("sampling");
    return { role: "assistant", model: "none", content: { type: "text", text: "forty-two" } };
  },
  "roots/list": () => {
    asked.push("roots");
    return { roots: [{ uri: "file:///workspace", name: "workspace" }] };
  },
};
const capabilities = { elicitation: {}, sampling: {}, roots: {} };

async function first() {
  const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
  const types = await load("@modelcontextprotocol/sdk/types.js");
  const client = new Client({ name: "typescript-1", version: "1.0.0" }, { capabilities });
  client.setRequestHandler(types.ElicitRequestSchema, answers["elicitation/create"]);
  client.setRequestHandler(types.CreateMessageRequestSchema, answers["sampling/createMessage"]);
  client.setRequestHandler(types.ListRootsRequestSchema, answers["roots/list"]);
  const http = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const sse = await load("@modelcontextprotocol/sdk/client/sse.js");
  const stdio = await load("@modelcontextprotocol/sdk/client/stdio.js");
  const transports = { http: http.StreamableHTTPClientTransport, sse: sse.SSEClientTransport };
  return {
    client,
    transport: transport(stdio.StdioClientTransport, transports[kind]),
    call: (params, options) => client.callTool(params, undefined, options),
  };
}

async function second() {
  const { Client, StreamableHTTPClientTransport } = await load("@modelcontextprotocol/client");
  const { StdioClientTransport } = await load("@modelcontextprotocol/client/stdio");
  const client = new Client(
    { name: "typescript-2", version: "1.0.0" },
    { capabilities, versionNegotiation: { mode } },
  );
  for (const [method, answer] of Object.entries(answers)) {
    client.setRequestHandler(method, answer);
  }
  return {
    client,
    transport: transport(StdioClientTransport, StreamableHTTPClientTransport),
    call: (params, options) => client.callTool(params, options),
  };
}

function transport(Pipe, Web) {
  if (kind === "stdio") {
    return new Pipe({ command: target, args: rest, env: process.env, stderr: "inherit" });
  }
  const headers = { Authorization: `Bearer ${rest[0]}` };
  return new Web(new URL(target), { requestInit: { headers } });
}

// Over HTTP each call has a connection of its own, so one may be aborted before it has reached the server: try again.
async function cancelled(call) {
  const tag = `${major}-${mode}-${kind}-${process.pid}`;
  const log = async () => JSON.parse((await call({ name: "cancel_log", arguments: {} })).content[0].text);
  for (let attempt = 0; attempt < 20; attempt++) {
    const stop = new AbortController();
    const running = call({ name: "slow", arguments: { seconds: 60, tag } }, { signal: stop.signal });
    const said = running.then(() => "answered", () => "aborted");
    await new Promise((passed) => setTimeout(passed, 50 * (attempt + 1)));
    stop.abort("not wanted any more");
    await said;
    for (let look = 0; look < 20; look++) {
      const entry = (await log()).find((each) => each.tag === tag);
      if (entry) {
        return [await said, entry.ended];
      }
    }
  }
  return ["never", "reached the server"];
}

const { client, transport: way, call } = await (major === "1" ? first() : second());
await client.connect(way);
// The first SDK forgets whom to tell of progress as soon as it has read the answer, and may read all of it at once.
async function progressed() {
  for (let attempt = 0; ; attempt++) {
    const progress = [];
    const said = await text("test_tool_with_progress", {}, { onprogress: (each) => progress.push(each.progress) });
    if (progress.length >= 3 || attempt === 9) {
      return { said, progress };
    }
  }
}

const text = async (name, arguments_, options) => (await call({ name, arguments: arguments_ }, options)).content[0].text;
const seen = {
  server: client.getServerVersion()?.name,
  tools: (await client.listTools()).tools.map((tool) => tool.name),
  sum: await text("add", { a: 2, b: 3 }),
  progressed: await progressed(),
  elicited: await text("test_elicitation", { message: "Who are you?" }),
  sampled: await text("test_sampling", { prompt: "six by nine" }),
  roots: await text("test_input_required_result_list_roots", {}),
  asked,
  read: (await client.readResource({ uri: "test://static-text" })).contents[0].text,
  prompt: (await client.getPrompt({ name: "test_simple_prompt" })).messages.length,
  wrong: (await call({ name: "add", arguments: { a: "2", b: 3 } })).isError,
  cancelled: await cancelled(call),
};
await client.close();
console.log(JSON.stringify(seen));
