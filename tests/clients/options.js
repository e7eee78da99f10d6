// Parameters that every script takes, and the way it reports.
//
//   node ws.js  --url ws://127.0.0.1:8000/graphql  --token TOKEN --query 'subscription { … }'
//   node sse.js --url http://127.0.0.1:8000/graphql --token TOKEN --query '…'
//     [--variables '{"walletId": "…"}'] [--events 3] [--retries 0]
//
// Prints one JSON line per answer: {"answer": {"data": …}}; then {"end": "complete" | "enough"} or
// {"end": "error", "errors": […]} or {"end": "closed", "code": …, "reason": …}. Leaves with 0 after
// "complete" and "enough" (as many answers as --events asked for), with 1 otherwise.
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    token: { type: "string" },
    query: { type: "string" },
    variables: { type: "string", default: "{}" },
    events: { type: "string", default: "0" },
    retries: { type: "string", default: "0" },
  },
});

export const options = {
  url: values.url,
  authorization: `Bearer ${values.token}`,
  request: { query: values.query, variables: JSON.parse(values.variables) },
  events: Number(values.events),
  retries: Number(values.retries),
};

export function report(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export function leave(end) {
  report(end);
  process.exitCode = end.end === "complete" || end.end === "enough" ? 0 : 1;
}

// Reports the answers of an async iterator until it ends or --events were seen.
export async function reportAnswers(answers) {
  let seen = 0;
  for await (const answer of answers) {
    report({ answer });
    seen += 1;
    if (options.events && seen >= options.events) {
      return { end: "enough" };
    }
  }
  return { end: "complete" };
}
