// Live scores: the server pushes, the page shows. Each match is a channel of its
// own on the one socket.
import { openSocket } from "../connection.js";
import { element } from "../element.js";

const TOPICS = ["scores:1", "scores:2", "scores:3"];
const MAX_GOALS = 20;

const [matches, goals, problem] = ["matches", "goals", "problem"].map((id) => document.getElementById(id));

const socket = openSocket("/socket");
socket.connect();
TOPICS.forEach(watch);

// watch shows one match. The answer to the join is the match as it stands; after a
// lost connection the client joins again, and so is up to date at once.
function watch(topic) {
  const card = makeCard();
  matches.append(card.root);
  let last = { minute: 0, goals: [] };
  const show = (match) => {
    card.show(match);
    listGoals(last, match);
    last = match;
  };
  const channel = socket.channel(topic);
  channel.on("update", show);
  channel.join()
    .receive("ok", show)
    .receive("error", ({ reason }) => {
      channel.leave();
      problem.textContent = `${topic}: ${reason}`;
    });
}

function makeCard() {
  const root = element("article", "", "card");
  const sides = [0, 1].map(() => ({ team: element("h2"), score: element("span", "–", "score") }));
  const clock = element("p", "", "clock");
  const progress = element("progress");
  progress.max = 90;
  progress.ariaLabel = "Minutes played";
  for (const { team, score } of sides) {
    const row = element("div", "", "side");
    row.append(team, score);
    root.append(row);
  }
  root.append(progress, clock);
  return {
    root,
    show(match) {
      root.ariaLabel = `${match.home} against ${match.away}`;
      [match.home, match.away].forEach((name, i) => {
        const { team, score } = sides[i];
        team.textContent = name;
        const goals = String(match.score[i]);
        if (score.textContent !== goals) {
          score.textContent = goals;
          score.classList.remove("changed");
          void score.offsetWidth; // starts the animation again
          score.classList.add("changed");
        }
      });
      progress.value = match.minute;
      clock.textContent = ({ 0: "Kick-off soon", 90: "Full time" })[match.minute] ?? `${match.minute}′`;
    },
  };
}

// listGoals lists the goals that were not there before, the last one first.
function listGoals(before, match) {
  const known = match.minute < before.minute ? 0 : before.goals.length; // 0: another match
  const score = [0, 0];
  match.goals.forEach(({ minute, side }, i) => {
    score[side]++;
    if (i >= known) goals.prepend(element("li", `${minute}′ ${match.home} ${score[0]}, ${match.away} ${score[1]}`));
  });
  while (goals.childElementCount > MAX_GOALS) goals.lastElementChild.remove();
}
