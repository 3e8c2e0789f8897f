// The two-alternative study: which of two rows shows a coherent transition? The page knows no right
// answer but those of the practice. Answers stay in this browser until they are saved as a file; a
// page that came from `descramble study serve` sends each of them there, too.
"use strict";
(() => {
  const { study, practice, trials } = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("study");
  const store = "descramble-study-" + study;
  // The server's links look like this, and no other's.
  const served = location.protocol.startsWith("http") && /^\/s\/[0-9a-f]{32}\/$/.test(location.pathname);

  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  // A participant is a random number, and nothing else is known of a person.
  const fresh = () => {
    const words = crypto.getRandomValues(new Uint32Array(4));
    return { participant: [...words].map((word) => word.toString(16).padStart(8, "0")).join(""), answers: [], sent: 0, practised: false };
  };
  const load = () => {
    try { return JSON.parse(localStorage.getItem(store)) || fresh(); } catch { return fresh(); }
  };
  const keep = () => { try { localStorage.setItem(store, JSON.stringify(state)); } catch { /* the file at the end still works */ } };
  const state = load();

  // Another window of this browser went on with the study: this one follows.
  addEventListener("storage", (event) => { if (event.key === store) location.reload(); });

  // Answers go to the server in their order, one at a time, again and again until it has them.
  const status = element("output", "", { "aria-live": "polite", class: "note" });
  place.after(status);
  let sending = false;
  let refused = "";
  let arrived = () => {};
  const wait = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));
  async function post(answer) {
    try {
      const reply = await fetch("answers", {
        method: "POST", headers: { "Content-Type": "application/json" }, signal: AbortSignal.timeout(15000),
        body: JSON.stringify({ study, participant: state.participant, ...answer }),
      });
      return { code: reply.status, text: reply.ok ? "" : await reply.text() };
    } catch { return { code: 0, text: "" }; }
  }
  async function send() {
    if (!served || sending || refused) return;
    sending = true;
    for (let pause = 500; state.sent < state.answers.length;) {
      const { code, text } = await post(state.answers[state.sent]);
      const busy = code === 0 || code === 408 || code === 429 || code >= 500;
      if (code === 200 || code === 409) { // 409: the server has an answer to this question
        state.sent += 1;
        keep();
        pause = 500;
        status.textContent = "";
      } else if (busy) {
        status.textContent = `${state.answers.length - state.sent} answers wait here until the server can be reached again. Go on; nothing is lost.`;
        await wait(pause);
        pause = Math.min(2 * pause, 8000);
      } else {
        refused = text.slice(0, 200);
        status.textContent = `The server refuses the answers (${code} ${refused}). Go on, and save them as a file at the end.`;
        break;
      }
    }
    sending = false;
    arrived();
  }

  // Mulberry32, begun with the participant: the same participant sees the same orders again.
  const stream = (text) => {
    let a = 2166136261;
    for (const c of text) a = Math.imul(a ^ c.charCodeAt(0), 16777619);
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  };
  const shuffled = (list, random) => {
    const result = [...list];
    for (let i = result.length - 1; i > 0; --i) {
      const j = Math.floor(random() * (i + 1));
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  };
  const order = shuffled(trials, stream(study + state.participant));
  const swapped = (trial) => stream(state.participant + trial.id)() < 0.5;

  function ask(trial, heading, answered) {
    const [top, bottom] = swapped(trial) ? [...trial.rows].reverse() : trial.rows;
    const began = performance.now();
    let done = false;
    const choose = (row) => {
      if (done) return;
      done = true;
      document.removeEventListener("keydown", keys);
      answered({ trial: trial.id, chosen: row.id, top: row === top, seconds: (performance.now() - began) / 1000 }, row);
    };
    const keys = (event) => {
      if (event.repeat || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
      event.preventDefault();
      choose(event.key === "ArrowUp" ? top : bottom);
    };
    const rows = [[top, "Top", "↑"], [bottom, "Bottom", "↓"]].map(([row, name, arrow]) => {
      const button = element("button", "", { type: "button", class: "row" });
      button.append(element("img", "", { src: row.image, alt: name + " row of pictures" }), element("span", `${name} ${arrow}`));
      button.addEventListener("click", () => choose(row));
      return button;
    });
    place.replaceChildren(element("h1", heading), element("p", "Which of the two rows shows a coherent transition from left to right? If you cannot tell, make your best guess."), ...rows);
    document.addEventListener("keydown", keys);
  }

  function message(heading, texts, button, next) {
    const go = element("button", button, { type: "button" });
    go.addEventListener("click", next);
    place.replaceChildren(element("h1", heading), ...texts.map((text) => element("p", text)), go);
    go.focus();
  }

  function practise(number) {
    if (number === practice.length) {
      state.practised = true;
      keep();
      message("Now the questions", [`There are ${order.length}. Nobody tells you whether an answer is right.`], "Begin", next);
      return;
    }
    ask(practice[number], `Practice ${number + 1} of ${practice.length}`, (answer, row) => {
      const right = row.id === practice[number].coherent;
      message(right ? "Yes" : "No", [right ? "This row changes steadily from left to right." : "The other row changes steadily from left to right."], "Go on", () => practise(number + 1));
    });
  }

  function next() {
    const known = new Set(state.answers.map((answer) => answer.trial));
    const open = order.filter((trial) => !known.has(trial.id));
    if (open.length === 0) { finish(); return; }
    ask(open[0], `Question ${known.size + 1} of ${order.length}`, (answer) => {
      state.answers.push(answer);
      keep();
      send();
      next();
    });
  }

  function finish() {
    const text = JSON.stringify({ study, participant: state.participant, answers: state.answers });
    const link = element("a", "Save the answers", { download: `answers-${state.participant}.json`, href: "data:application/json," + encodeURIComponent(text) });
    const show = () => {
      const all = served && state.sent === state.answers.length;
      const texts = all ? ["All answers have arrived. You may close this window."]
        : served && !refused ? [`${state.answers.length - state.sent} answers are on their way. Keep this window open until they have arrived, or save them as a file and send it to the person who asked you.`]
          : [`All ${order.length} questions are answered. Save the file and send it to the person who asked you.`];
      place.replaceChildren(element("h1", "Thank you"), ...texts.map((text) => element("p", text)), ...(all ? [] : [link]));
      if (!all) link.focus();
    };
    arrived = show;
    show();
  }

  const welcome = () => message("Which row is coherent?", [
    "You will see two rows of pictures at a time. In one of them the pictures change from left to right in some steady way; in the other they do not.",
    "Press the arrow up for the row on top, the arrow down for the one below, or click on it.",
    served ? "Your answers are sent as you give them. Nothing about you is recorded: you are a random number."
      : "Your answers are kept in this browser and saved as a file at the end. Nothing about you is recorded.",
  ], "Practise first", () => practise(0));
  send();
  if (state.practised) next(); else welcome();
})();
