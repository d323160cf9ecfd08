// An Unleash server without users, with tokens given by the benchmark.
// usage: node unleash.mjs PORT DATABASE_URL ADMIN_TOKEN FRONTEND_TOKEN PROCESSES
import unleash from "unleash-server";
import { inProcesses } from "./processes.mjs";

const [port, databaseUrl, admin, frontend, processes] = process.argv.slice(2);

async function serve() {
  await unleash.start({
    server: { port: Number(port), host: "127.0.0.1" },
    databaseUrl,
    db: { ssl: false },
    logLevel: "error",
    versionCheck: { enable: false },
    telemetry: false,
    authentication: {
      type: "none",
      initApiTokens: [
        { environment: "*", project: "*", secret: admin, type: "admin", tokenName: "admin" },
        { environment: "development", project: "default", secret: frontend, type: "frontend", tokenName: "frontend" },
      ],
    },
  });
}

await inProcesses(Number(processes), serve);
