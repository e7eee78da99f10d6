// The audits of graphql-http ("GraphQL over HTTP" compliance): one JSON line per audit.
//
//   node audit.js --url http://127.0.0.1:8000/graphql --token TOKEN
import { serverAudits } from "graphql-http";

import { options, report } from "./options.js";

const audits = serverAudits({
  url: options.url,
  fetchFn: (url, init = {}) =>
    fetch(url, { ...init, headers: { ...init.headers, Authorization: options.authorization } }),
});

for (const audit of audits) {
  const result = await audit.fn();
  report({ id: audit.id, name: audit.name, status: result.status, reason: result.reason });
}
