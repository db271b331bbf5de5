// SPDX-License-Identifier: MIT
// The rule book of a harbour that there is not, made up for tests: paragraphs by name, and questions
// with the paragraph that answers each. Most questions share a few words with it; some share more
// with another.
export const paragraphs = {
	berths: 'Berths along the east quay are given out by length. A yacht of up to nine metres lies ' +
		'at rings 1 to 40; longer yachts lie at the head of the quay, where the water is deeper.',
	fees: 'A night at a berth costs two crowns a metre, to be paid at the office before ten in the ' +
		'morning. A month costs forty crowns a metre. Children\'s dinghies are free.',
	electricity: 'Every ring has a socket. Electricity is metered and costs thirty hundredths of a ' +
		'crown a unit; the meter is read when the yacht leaves.',
	water: 'Drinking water comes from the blue taps. The grey taps give river water for washing ' +
		'decks, which must not be drunk.',
	fuel: 'Diesel and petrol are sold at the pontoon behind the lighthouse from seven to seven. ' +
		'Smoking is forbidden within thirty metres of the pumps.',
	waste: 'Oil, batteries and paint go into the red bins by the workshop. Household rubbish is ' +
		'collected from the quay on Mondays and Thursdays.',
	speed: 'Within the breakwaters nobody may go faster than four knots. Rowing boats and swimmers ' +
		'have the right of way over engines.',
	swimming: 'Swimming is allowed at the south beach alone, between the two yellow buoys, while a ' +
		'lifeguard is on duty.',
	dogs: 'Dogs are kept on a lead on the quays. They may run on the north beach from October to April.',
	fishing: 'Anglers need a day ticket, sold at the kiosk. Nets and traps are not allowed in the ' +
		'harbour; crabs may be caught by hand.',
	storm: 'When two black balls are hoisted at the signal mast a gale is expected within six hours: ' +
		'double the lines and take sails below.',
	crane: 'The crane lifts up to twelve tonnes. It is booked a week ahead at the workshop, and does ' +
		'not work in winds above force six.',
	winter: 'Yachts are laid up in the hall from November on. Masts come down first, batteries are ' +
		'taken home, and engines are drained against frost.',
	guests: 'Visitors report to the harbour master within two hours, by radio on channel 12 or at ' +
		'the office, and show the papers of their vessel.',
	radio: 'The harbour listens on channel 12; distress calls go out on channel 16. Conversations ' +
		'are kept short.',
	lighthouse: 'The light flashes twice every ten seconds, white to the sea and red over the reef. ' +
		'In fog a horn sounds once a minute.',
	sauna: 'The sauna beside the showers is heated on Fridays. The key hangs at the office and is ' +
		'lent for a deposit of five crowns.',
	bicycles: 'Bicycles are lent for a day by the kiosk. They are brought back before dusk, as they ' +
		'have no lamps.',
};

export const questions = [
	['How much is a night for a yacht of eight metres?', 'fees'],
	['Where does a yacht longer than nine metres lie?', 'berths'],
	['What is paid for electricity?', 'electricity'],
	['Which taps can we drink from?', 'water'],
	['Where can I buy petrol?', 'fuel'],
	['May I smoke near the pumps?', 'fuel'],
	['Where do old batteries and oil go?', 'waste'],
	['On which days is rubbish collected?', 'waste'],
	['How many knots are allowed between the breakwaters?', 'speed'],
	['Is there a lifeguard where we swim?', 'swimming'],
	['When may a dog run on the beach?', 'dogs'],
	['Do anglers need a ticket?', 'fishing'],
	['What do two black balls at the mast mean?', 'storm'],
	['What is the heaviest that the crane can lift?', 'crane'],
	['Does the crane work in strong winds?', 'crane'],
	['How are engines protected from frost?', 'winter'],
	['To whom do visitors show their papers?', 'guests'],
	['Which channel is for distress calls?', 'radio'],
	['How often does the horn sound in fog?', 'lighthouse'],
	['On which day is the sauna heated?', 'sauna'],
	['What is the deposit for the key?', 'sauna'],
	['When must a bicycle be brought back?', 'bicycles'],
];
