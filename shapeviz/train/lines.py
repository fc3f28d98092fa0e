"""What the people of the bundled dialogue say: the vocabulary of its grammar, written for this project.

A line is an alternative as `grammar.alternative` reads it. `{thing}` and `{spot}` belong to the place of the scene, and
`{other}` is anyone but the speaker; every other reference names a list below.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A place of scenes: its heading, what is found in it, where things lie there, what happens there by itself."""

    heading: str
    things: str
    spots: str
    events: str


class Speaker(NamedTuple):
    """Somebody of the house: the name, how often to speak, first words, answers, remarks and gestures."""

    label: str
    weight: int
    openers: str
    answers: str
    remarks: str
    gestures: str


PLACES = {
    "kitchen": Place(
        "The kitchen",
        "kettle, bread knife, cinnamon jar, copper pan, pepper mill, butter dish, flour sack, soup ladle",
        "under the sink, behind the stove, inside the oven, next to the bread bin, on top of the cupboard",
        "The kettle begins to sing., Something burns., A spoon falls., The tap drips.",
    ),
    "harbour": Place(
        "The harbour",
        "rope, tiller, lantern, rowing boat, fishing net, foghorn, ferry ticket, lobster pot",
        "at the end of the pier, below the tide mark, on the wet steps, behind the ticket office, between two barrels",
        "A gull steals a biscuit., The ferry whistles twice., A wave comes over the wall., A bell rings far out.",
    ),
    "attic": Place(
        "The attic",
        "telescope, birdcage, typewriter, rocking horse, sea chest, tin soldier, fur coat, gramophone",
        "under the loose board, behind the chimney, in the hat box, near the round window, beneath a heap of letters",
        "Dust falls from a beam., A mouse looks out and goes back in., The wind lifts a tile., The lamp goes out.",
    ),
    "library": Place(
        "The library",
        "world map, ladder, paper knife, reading lamp, crossword, magnifying glass, love letter, dictionary",
        "among the poets, on the highest shelf, between two novels, inside the globe, at the back of the drawer",
        "The clock strikes eleven., A book falls by itself., Somebody coughs behind the shelves., The fire cracks.",
    ),
    "garden": Place(
        "The garden",
        "beehive, wheelbarrow, rake, watering can, scarecrow, greenhouse key, sundial, pumpkin",
        "behind the beans, in the nettles, under the pear tree, beside the compost, at the foot of the wall",
        "A bee inspects the hat., The gate bangs., It starts to drizzle., A pear drops into the soup.",
    ),
    "theatre": Place(
        "The old theatre",
        "trapdoor, curtain, spotlight, false moustache, prompt book, thunder sheet, velvet cape, cardboard moon",
        "in the orchestra pit, below the stage, behind the painted castle, in the royal box, on the dusty balcony",
        "The cardboard moon wobbles., Thunder from a sheet of tin., A row of seats collapses., The lights flicker.",
    ),
}
CASTS = {
    "nora otto pim": 5, "pim lazlo vale": 4, "otto ines lazlo": 3, "nora ines pim": 3, "vale otto nora": 2,
    "lazlo nora ines": 2, "ines vale pim": 1,
}  # fmt: skip

SPEAKERS = {
    "nora": Speaker(
        "Nora",
        4,
        "Hold this. | Listen. | 2 Right, | Hm. | Honestly,",
        "3 Look around. | Think. | Easy. | You again? Fine.",
        """
        3 I took {the} apart and there are {few} screws left over.
        2 the {thing} only needs {tool} and a little patience.
        2 nothing is broken, it is merely in {many} pieces.
        hand me {tool}, no, not that one, {tool}.
        whoever touched the {thing} owes me {tool}.
        my father could mend a {thing} with {tool} and bad words.
        if it hums, leave it alone; if it stops humming, call me.
        I do not guess, I measure, and it is {few} inches short.
        the radio says {weather} and {weather2}, so the radio is broken too.
        2 give me {span} and {the} will run.
        {other} calls it a miracle, I call it {tool}.
        that noise is the {thing}, and it is {mood} with us.
        """,
        "tightens a screw | wipes her hands on a rag | 2 listens to the wall | ties back her hair | counts her screws",
    ),
    "otto": Speaker(
        "Otto",
        5,
        "2 Friends, | Ha! | Believe me, | 2 My word, | Upon my oven,",
        "2 Ha! | Of course I know. | Ask anyone in town. | My dear child!",
        """
        3 I baked {many} loaves before {hour} and sold {many} of them twice.
        2 there were {many} gulls, and every one of them knew my name.
        2 my {cake} once made {other} weep for {span}.
        I have told you about the {cake} that was taller than the {thing}?
        no {cake} without {spice}, no life without {cake2}.
        I lost {many} buttons laughing, and the {thing} laughed as well.
        {other} ate {few} slices of {cake} and asked for the tin.
        in my youth I carried the {thing} up {many} stairs with one hand.
        2 let us put {spice} on it and call it supper.
        a guest from {town} paid me {many} coins for a crumb.
        flour does not lie, but {other} might.
        the secret is {spice}, and the other secret is {spice}.
        """,
        "2 offers everybody {cake} | slaps the table | dusts flour from his sleeves | hums | bows to the {thing}",
    ),
    "pim": Speaker(
        "Pim",
        5,
        "3 But | And | Why? Because | Guess what, | 2 Please,",
        "2 I know, I know! | Not telling. | Cross my heart. | 2 It was not me!",
        """
        3 I saw a {animal} and it had {few} {animal}s with it.
        2 do {animal}s get {mood} in {weather}?
        2 my {animal} ate {the}, and now it is {mood}.
        what if a {animal} drove the ferry to {town}?
        when I am {few} and a half I will live in {town} with {many} {animal}s.
        {other} said I could keep the {animal} if it stays {spot}.
        there is a {animal} {spot} and its name is {name}.
        I was not asleep, I was being a {animal}.
        can the {thing} swim?
        I counted to {many} and nobody looked for me.
        2 I dug a hole so deep that I could hear {town}.
        {the} winked at me, I swear.
        """,
        "2 hops on one leg | hides a {animal} | draws a {animal} | sneezes | 2 vanishes and comes back {mood}",
    ),
    "vale": Speaker(
        "Mrs. Vale",
        3,
        "3 My dear, | If I may, | Gracious, | In this house",
        "I should hope so, dear. | 2 As I have said before. | With pleasure. | Naturally.",
        """
        3 the rent is due on {day}, not on {day}.
        2 we do not keep {animal}s in the rooms, nor on the stairs.
        2 somebody has left {the} {spot} again.
        shoes belong on the mat, and the {thing} does not.
        my late husband never raised his voice at a {thing}.
        I shall write to {other} about {the}, and in ink.
        there will be {cake} at {hour} for those who are washed.
        I heard singing after {hour}, and it was not even in tune.
        a lady from {town} looked at the room and was {mood}.
        2 kindly return {the} by {day}.
        I am not {mood}, I am only disappointed.
        one does not whistle at a {animal}.
        """,
        "straightens a picture | 2 adjusts her spectacles | consults a small notebook | folds a napkin into a swan",
    ),
    "lazlo": Speaker(
        "Lazlo",
        4,
        "3 Alas, | Ah, | Silence! | Picture it: | Once more, with feeling:",
        "2 Alas! | What a line. | The answer, like all answers, is sad. | Prompter!",
        """
        3 I played the {role} in {town} for {few} nights, and they still boo.
        2 {the} has more talent than {other}.
        2 a {role} does not knock, he appears.
        {weather} outside, {weather2} in my heart.
        I died {many} times on that stage, twice on purpose.
        give me a {thing} and an audience of {few}, and I shall be {mood}.
        they threw {cake} at me, and it was the kindest review.
        the critics of {town} compared me to a {animal}.
        2 to be the {role} one must first be {mood}.
        I have forgotten my lines, but never my {thing}.
        my memoirs are {few} pages long and {mood} throughout.
        who is that in the mirror? Ah yes, the {role}.
        """,
        "2 faints into a chair | speaks to the {thing} as to a queen | bows too low | clutches his scarf | 2 sighs",
    ),
    "ines": Speaker(
        "Ines",
        3,
        "3 Aye, | Mark me, | Tide says | By salt and rope,",
        "4 Aye. | Plain as a buoy. | Wind took it, wind gave it back. | Hm, aye.",
        """
        3 {weather} by {hour}, {weather2} by {day}.
        2 {weather} in {town}, so we wait.
        2 I crossed in worse, with {few} goats and a piano.
        ferry leaves at {hour}, with {other} or without.
        saw a {animal} off {town}, bigger than the boat.
        never trust a {thing} on a {day}.
        rope first, talk after.
        the sea is {mood} tonight.
        2 {few} knots of wind and not one of sense in {other}.
        lost {the} overboard near {town}, found it {spot}.
        keep the {thing} dry and your boots drier.
        """,
        "spits over her shoulder | 2 looks at the sky | coils the rope | lights a pipe and lets it go out",
    ),
}

COMMON_REMARKS = """
24 {tale}
3 {rumour}
{the} is {state}, and nobody is surprised.
somebody put {the} {spot}.
2 {other} was {mood} all {day}, ask the {animal}.
I would trade the {thing} for {cake}.
{other}, {plea}
it smells of {spice} and {spice} in here.
{span} of this and I move to {town}.
never mind {the}, {other} has found the {animal}.
"""

# What may be asked for a thing, and what is answered: the answer has the thing of the question.
QUESTIONS = {
    "4 where is the THING?": ("5 the THING is {spot}.", "2 the THING was {spot} on {day}.", "I sold the THING."),
    "2 who broke the THING?": ("3 {name} did, and the THING is {state}.", "the THING broke by itself {spot}."),
    "2 may I borrow the THING?": ("2 only if the THING is back by {hour}.", "never, the THING is {state}."),
    "what is wrong with the THING?": ("3 the THING is {state}.", "nothing, a THING is simply {mood} at {hour}."),
    "whose THING is that?": ("2 that THING belongs to {someone}.", "the THING was left here by a {role}."),
}

PLEAS = "3 do be reasonable. | 2 mind your elbow. | say something. | sit down. | pass the {thing}. | stop that at once."

RUMOURS = """
2 NAME says that {rumour}
NAME dreamt that {rumour}
3 NAME says that {the} is {state}.
2 NAME heard a {animal} {spot}.
NAME wants to marry a {role} from {town}.
NAME saw {many} {animal}s at {hour}.
"""

TALES = """
8 I {deed} {the}{tail}
3 {other} {deed} {the}{tail}
my aunt {deed} {the}{tail}
some {adjective} {animal} {deed} {the}{tail}
2 {other} and I {deed} {the}{tail}
the {role} {deed} {the}{tail}
"""

LISTS = {
    "adjective": "3 old | 2 little | rusty | 2 borrowed | crooked | 3 blue | invisible | 2 second-best | noisy",
    "deed": """3 hid | 2 painted | sold | kissed | weighed | 2 dropped | polished | 3 lost | buried | 2 borrowed
        sat on | sang to | 2 argued with | 2 followed | apologised to | 3 forgot | fell over | measured | 2 saved""",
    "when": """2 yesterday | 3 on {day} | 2 at {hour} | all night | twice | in the dark | for {span} | during {weather}
        on purpose | 2 with {tool} | without a word | 2 before breakfast""",
    "link": "4 because | 3 and then | 2 while | although | until",
    "span": "2 an hour | ten minutes | 3 a week | a month and a day | 2 half an afternoon | seven years",
    "time": "dawn | 2 noon | 3 dusk | midnight | 2 tea time | breakfast",
    "sky": "3 rain on the windows | 2 fog | bright sun | a storm from the west | snow | no wind at all",
    "hour": "four | five | 2 six | 2 eight | nine | ten | midday | half past seven",
    "day": "Monday | Tuesday | 2 Wednesday | Thursday | 3 Friday | Saturday | 2 Sunday",
    "few": "two | 3 three | 2 five | eleven | seven",
    "many": "twenty | thirty-one | 2 forty | a hundred | 2 nine hundred | 3 a thousand | ninety",
    "tool": "a spanner | 2 a hairpin | 3 a small hammer | some wire | copper tape | two corks | the good pliers",
    "weather": "3 fog | 2 sleet | thunder | 2 sunshine | drizzle | a north wind | hail",
    "weather2": "calm | 2 squalls | 3 more of it | ice | a red sky",
    "cake": "3 plum cake | 2 almond bread | honey tart | sponge cake | gingerbread | apple strudel",
    "cake2": "2 butter | jam | second helpings | a warm oven",
    "spice": "3 cinnamon | 2 cardamom | nutmeg | pepper | vanilla | burnt sugar | 2 lemon peel",
    "town": "3 Port Amber | 2 Wexmouth | Tallow Bay | Upper Dunn | the Far Islands | Saint Oriel",
    "animal": "3 hedgehog | 2 seal | goat | 2 badger | heron | crab | donkey | pelican | whale",
    "name": "3 Admiral Button | 2 Gertrude | Old Soup | Mister Nobody | Seventeen | Penelope",
    "mood": "3 furious | 2 melancholy | rather pleased | asleep | 2 hungry | suspicious | out of tune | proud",
    "state": "3 broken | 2 missing | haunted | full of bees | stuck | 2 wet through | painted green | louder than ever",
    "role": "3 ghost | 2 duke | second shepherd | villain | weeping widow | hunchback | king of nowhere",
}
