// The stock graphql-ws client: prints what an operation answers. Parameters: see options.js.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { leave, options, reportAnswers } from "./options.js";

const client = createClient({
  url: options.url,
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: options.authorization },
  retryAttempts: options.retries,
  onNonLazyError: () => {},
});

function ending(error) {
  if (Array.isArray(error)) {
    return { end: "error", errors: error };
  }
  return { end: "closed", code: error.code, reason: error.reason ?? String(error) };
}

let end;
try {
  end = await reportAnswers(client.iterate(options.request));
} catch (error) {
  end = ending(error);
}
await client.dispose();
leave(end);
