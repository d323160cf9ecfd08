// Serve one port with several processes, as Node does it; with one process there is no other beside it.
import cluster from "node:cluster";

export function inProcesses(count, serve) {
  if (count <= 1 || cluster.isWorker) return serve();
  // The others once the first one serves: it may have a database to prepare.
  cluster.once("listening", () => {
    for (let more = 1; more < count; more++) cluster.fork();
  });
  cluster.fork();
}
