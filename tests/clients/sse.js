// The stock graphql-sse client: prints what an operation answers. Parameters: see options.js.
import { createClient } from "graphql-sse";

import { leave, options, reportAnswers } from "./options.js";

const client = createClient({
  url: options.url,
  headers: { Authorization: options.authorization },
  retryAttempts: options.retries,
});

let end;
try {
  end = await reportAnswers(client.iterate(options.request));
} catch (error) {
  end = { end: "closed", code: error.response?.status, reason: error.message };
}
client.dispose();
leave(end);
