// A host of apps, as the apps SDK builds one: finds the app of a tool, reads its page, and lets the page call a tool.
//
//     node host.mjs legacy|auto stdio COMMAND ARG...
//     node host.mjs legacy|auto http URL TOKEN
//
// Prints what it saw as JSON. There is no browser: the page is played by the SDK's own class for pages.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [mode, kind, target, ...rest] = process.argv.slice(2);

// The packages live outside the checkout, where node would not look for them by itself.
const require = createRequire(process.env.CLIENT_HOME + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

const { Client, StreamableHTTPClientTransport, InMemoryTransport } = await load("@modelcontextprotocol/client");
const { StdioClientTransport } = await load("@modelcontextprotocol/client/stdio");
const bridging = await load("@modelcontextprotocol/ext-apps/app-bridge");
const { App } = await load("@modelcontextprotocol/ext-apps");

const UI = "io.modelcontextprotocol/ui";
const client = new Client(
  { name: "host", version: "1.0.0" },
  {
    capabilities: { extensions: { [UI]: { mimeTypes: [bridging.RESOURCE_MIME_TYPE] } } },
    versionNegotiation: { mode },
  },
);
await client.connect(
  kind === "stdio"
    ? new StdioClientTransport({ command: target, args: rest, env: process.env, stderr: "inherit" })
    : new StreamableHTTPClientTransport(new URL(target), {
        requestInit: { headers: { Authorization: `Bearer ${rest[0]}` } },
      }),
);

const tool = (await client.listTools()).tools.find((each) => each.name === "show_time");
const uri = bridging.getToolUiResourceUri(tool);
const [page] = (await client.readResource({ uri })).contents;
const about = bridging.McpUiResourceMetaSchema.parse(page._meta.ui);
bridging.McpUiToolMetaSchema.parse(tool._meta.ui);

// The page, and the bridge between it and the client.
const [near, far] = InMemoryTransport.createLinkedPair();
const bridge = new bridging.AppBridge(client, { name: "host", version: "1.0.0" }, { serverTools: {} });
const app = new App({ name: "page", version: "1.0.0" }, {}, { autoResize: false });
const shown = new Promise((resolve) => {
  app.ontoolresult = (result) => resolve(result.content[0].text);
});
const ready = new Promise((resolve) => {
  bridge.oninitialized = resolve;
});
await bridge.connect(near);
await app.connect(far);
await ready;
await bridge.sendToolInput({ arguments: {} });
await bridge.sendToolResult(await client.callTool({ name: "show_time", arguments: {} }));

console.log(
  JSON.stringify({
    told: client.getServerCapabilities().extensions?.[UI],
    uri,
    mimeType: page.mimeType,
    isHtml: page.text.startsWith("<!doctype html>"),
    csp: about.csp,
    allow: bridging.buildAllowAttribute(about.permissions),
    shown: await shown,
    called: (await app.callServerTool({ name: "echo", arguments: { text: "from the page" } })).content[0].text,
  }),
);
await app.close();
await client.close();
