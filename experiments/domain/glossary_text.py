"""The words of the glossary, as people edit them: one paragraph a term, read by ``experiments.domain.glossary``.

A term begins with its key and its word. Then comes what fits into a tooltip; after ``+`` what more there is to say, and
after ``>`` the keys of other terms worth reading.
"""

BASICS = """
experiment: Experiment
A fair comparison of variants: chance decides who gets which, so that only the variant can explain a difference.
+ Everything that decides how it is read is fixed before the start. What is chosen afterwards finds whatever one
hopes for.
> variant, randomisation

hypothesis: Hypothesis
What you expect to change, in which direction, and why.
+ Written before the start, it tells a finding from a coincidence, and those who come later learn from it.

unit: Unit
What gets one variant and keeps it: a user, a device, an organisation.
+ Results count units and not visits, because the visits of one person resemble each other.
> randomisation

variant: Variant
One of the things compared: the control, or a treatment.
> control, treatment

control: Control
The variant that everything else is compared with; usually what people have today.

treatment: Treatment
Any variant other than the control.

randomisation: Randomisation
Chance decides which variant a unit gets, and the same unit always gets the same one.
+ That makes the variants alike in everything else, known or unknown.
> bucket

phase: Phase
A stretch of an experiment in which units keep their variant. A new phase deals every unit anew.
+ What came before a new phase is not mixed into its result.

ship: Ship
Give a variant to everyone, at once or step by step, and end the experiment.
> holdback, ramp
"""

TRAFFIC = """
weight: Weight
The share of an experiment's units that a variant gets, for example 50%.

allocation: Share of traffic
How many of all eligible units take part in the experiment at all.
+ While it runs the share can only grow: taking units out would change what the result is about.
> ramp

targeting: Targeting
The condition on attributes, such as country or app version, that a unit must meet to take part.

exposure: Exposure
The recorded moment at which a unit could first feel its variant. Units count from then on.
+ Being assigned is not enough: somebody who never saw the page cannot have been changed by it.

layer: Layer
A division of all units. Experiments in the same layer share no unit, so they cannot disturb each other.
+ Put experiments that touch the same page into one layer. Experiments in different layers meet each other's
variants at random.
> interaction

bucket: Bucket
One of 10,000 places that a unit's id is hashed into; ranges of places belong to variants.

ramp: Ramp
Steps by which more and more units take part, so that a mistake hurts few.
+ A step waits while a guardrail is crossed or the traffic split is broken.

holdout: Holdout
A few units that no experiment reaches. They show what all shipped changes together have brought.
> holdback, cumulative-impact

holdback: Holdback
After shipping, a few units keep the control, so that one sees whether the gain lasts.
> novelty

override: Override
A unit that sees a chosen variant, whatever chance says, to look at it. No analysis counts it.

trigger: Triggered analysis
The effect on those units alone whose experience could differ between the variants.
+ Where two models give the same answer for 99 of 100 people, the other one shows the effect far sooner.

overlap: Overlap
The same units may take part in both experiments. That is fine as long as the changes do not touch each other.
> interaction, layer
"""

METRICS = """
metric: Metric
One number a unit, made of its events: did it buy, how much did it spend.

primary: Primary metric
The metric that decides, chosen before the start.
+ Several primary metrics share the risk of a false alarm, so each needs stronger evidence.

guardrail: Guardrail
A metric that must not get worse by more than its margin, whatever the primary metric gains.
+ Page speed, errors and refunds are typical ones.
> margin

secondary: Secondary metric
A metric that explains what happened and does not decide.

margin: Margin
How much worse a guardrail may get, for example 2% of the control's value.
+ A guardrail holds when its whole interval lies within the margin; not being significant is not enough.

direction: Direction
Whether higher or lower is better. It only colours the reading; the change itself is always treatment against
control.

window: Observation window
How long after a unit's exposure its events count, the same for everyone.

cap: Cap
A limit on one unit's value, so that a single huge order does not drown everything else.

cuped: Adjusted for the past (CUPED)
What a unit did before the experiment is taken into account. The interval gets narrower, the effect is the same.
+ It uses only what happened before the exposure, which no variant can have changed.
"""

READING = """
verdict: Verdict
The answer in one sentence, from a rule stated before the start: health first, then guardrails, then the primary
metric.

lift: Lift
The change relative to the control: treatment divided by control, minus 1. From 4.0% to 4.2% is +5%.

interval: Interval
The changes that fit the data. Of a hundred 95% intervals about 95 hold the true change.
+ Look at both ends: the near one says what is safe to promise, the far one what might still be possible.

p-value: p-value
How often chance alone would show a difference at least this large if there were none.
+ It is not the probability that the treatment works. Small means: hard to explain by luck.

alpha: Risk of a false alarm (alpha)
How often one accepts to see a change where there is none, usually 5%.
> power

power: Power
The chance that an experiment finds a change of the size that matters, if it is there. 80% is usual.
+ An experiment with little power mostly says “no clear change”, and its wins are exaggerated.
> smallest-change, winners-curse

smallest-change: Smallest change that can be seen
The change that an experiment of this size would find four times out of five.
> power

matters: Smallest change that matters
The smallest gain worth acting on, named before the start. Less is “too small to matter”.

peeking: Peeking
Looking again and again and stopping as soon as it looks good. After two weeks of daily looks more than one in five
changes that do nothing has seemed to do something.
+ Plans that allow early looks pay for them with wider intervals.
> group-sequential, always-valid

fixed-plan: Read once
The result is read one time, at the planned end; its intervals are the narrowest.

group-sequential: Daily looks
A plan with one look a day, whose intervals allow for all of them; it may end early.

always-valid: Read at any time
Intervals that hold however often one looks. They are wider in return.

bayesian: Bayesian reading
The chance that the treatment is better, starting from what experiments of this kind usually bring.

breakdown: Breakdown
The effect in parts of the units, such as by country. With many parts some look different by chance.

too-small: Too small to matter
The whole interval lies within the smallest change that matters: there is a clear answer, and it is “no difference
worth having”.
"""

HEALTH = """
srm: Traffic split (SRM)
Do the variants have the shares of units that were designed? If not, something loses units, and no number can be
believed.
+ SRM stands for sample ratio mismatch. Usual causes: a variant that crashes or redirects before it records the
exposure, bots, or a filter after the assignment.

trustworthy: Trustworthy
No health check says that the numbers mislead. Otherwise changes are withheld, not shown in a paler colour.

quarantine: Units in two variants
Units that were seen in more than one variant. They are left out and counted.

novelty: Novelty
An effect that fades because people only tried the new thing; or one that grows while they learn it.

interaction: Interaction
Two experiments change each other's effect: a red button on a red page.
+ Strong interactions are rare, and a layer rules them out.
> layer, overlap

interference: Interference
Units influence each other, for example by buying from the same stock. The control is then no longer what it was.

aa: A/A certificate
Proof from your own data that a metric raises no more false alarms than promised: it compares the same with the
same, many times.
"""

MODELS = """
drift: Drift
What a model predicts spreads differently than in the week of its launch: the world, the people or what feeds the model
changed.
+ An effect that was measured in the launch week may then not hold any more. Drift in one variant alone points to
its model; drift in all of them to the world.
> stability-index

stability-index: Stability index
How far two spreads lie apart: 0 where they are alike; from .10 one has moved, from .25 it has moved far.
+ Also called population stability index (PSI). It compares shares in the tenths of the first scores.
> drift

model-version: Model version
One trained model with its offline metrics; variants can name it.

offline-metric: Offline metric
How good a model looks on recorded data, such as accuracy or NDCG, before anybody meets it.
+ It is a promise: whether people behave differently is another question.

proxy: Proxy metric
A metric that moves early and often, such as clicks, in place of the one that matters.
+ A gain in a proxy is no gain in business until many experiments have shown that the two move together.

north-star: North-star metric
The one business metric that everything is meant to move in the end.

chain: Chain
From the offline gain to behaviour to the business, each link with its interval: where it stopped.

propensity: Propensity
With which probability a system chose what it showed. Logged, it lets one ask what another choice would have
brought.

off-policy: Off-policy evaluation
An estimate from logged choices of what another model would have brought, before anybody meets it.

interleaving: Interleaving
One list mixed from two rankers: whose items get the clicks? Needs far fewer people than an experiment, and gives a
direction only.

bandit: Bandit
Traffic moves to what seems best while it runs. Good for choosing, poor for measuring by how much.

switchback: Switchback
The variant changes by time and place instead of by person, where people influence each other.
"""

PROGRAMME = """
win-rate: Win rate
Of the experiments that ended and can be believed, the share for which the rule said “ship”.
+ Most ideas do not work: between a tenth and a third is usual (Kohavi, Tang and Xu 2020). A much higher rate says
that only safe bets are tried, or that the rule is bent.

velocity: Velocity
How many experiments start and end in a week.
> cycle-time

cycle-time: Cycle time
Days from the creation of an experiment to its end; half of them take less than the median.

cumulative-impact: Cumulative impact
What all shipped changes together bring. The plain sum of their measured gains promises too much.
> winners-curse, shrinkage, holdout

winners-curse: Winner's curse
What was chosen for looking good was partly lucky, so its measured gain is too large.
> shrinkage

shrinkage: Shrinkage
Each measured gain is drawn towards what experiments usually bring, the more so the noisier it is.
+ It removes the winner's curse: the sum of shrunken gains is what one can expect to keep.
> winners-curse

conflict: Conflict
Experiments that may disturb each other: the same people, at the same time, and the same metric or part of the
product.
> overlap, interaction

conclusion: Conclusion
What people decided at the end, why, and what was learned. A decision against the rule needs a second person.
"""
